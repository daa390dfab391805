/** The equalizer panel: folded until wanted (and remembered), a curve or a table of numbers, a layer's solo and mute,
 *  the points beneath. Knows the draft and the model's layout. */
import { IconChevronRight } from "@tabler/icons-react";
import { memo, useMemo, useState } from "react";
import { Button } from "@/shared/ui/Button";
import { NumberBox } from "@/shared/ui/NumberBox";
import { groupsOf } from "../logic/curve";
import {
  bandHere,
  bandsHere,
  fillBandHere,
  resetBands,
  resetDeltaBands,
  toggleMute,
  toggleSolo,
  useDraft,
} from "../logic/draft";
import { bandNames, formatGain, GAIN_MAX, type Layout, short } from "../logic/recipe";
import { useView } from "../logic/view";
import { useWords } from "../messages";
import { BandChart } from "./BandChart";
import { BandTable } from "./BandTable";
import { useBandName } from "./bandName";
import classes from "./Equalizer.module.css";
import { Points } from "./Points";

type Props = { layout: Layout; labelOf: (delta: string) => string };

export const Equalizer = memo(function Equalizer({ layout, labelOf }: Props) {
  const t = useWords();
  const { layers } = layout;
  const names = useMemo(() => bandNames(layout), [layout]);
  const bandName = useBandName(names);
  const { equalizer: open, linked, table, set } = useView();
  const [selected, setSelected] = useState(0);
  const recipe = useDraft((draft) => draft.recipe);
  const muted = useDraft((draft) => draft.muted);
  const soloed = useDraft((draft) => draft.soloed);
  const layer = Math.min(selected, layers - 1);
  const groups = groupsOf(layers);
  const [chosen, setChosen] = useState<string | null>(null);
  const deltas = Object.keys(recipe.deltas);
  const of = chosen !== null && deltas.includes(chosen) ? chosen : null;
  const own = of === null ? recipe.bands : (recipe.deltas[of]?.bands ?? {});
  const changed = short({ bands: own }).bands + (of === null ? muted.length + soloed.length : 0);
  const anywhere = short({ bands: recipe.bands, deltas: recipe.deltas }).bands + muted.length + soloed.length;
  const shownBands = bandsHere(of).map((name) => ({
    name,
    value: bandHere(recipe, of, name, layers)[layer] ?? 1,
    set: (next: number) => fillBandHere(of, name, layers, [layer, layer], next),
  }));

  return (
    <section className={classes.panel} aria-labelledby="equalizer-title">
      <div className={classes.head}>
        <button
          type="button"
          className={classes.fold}
          aria-expanded={open}
          aria-controls="equalizer"
          onClick={() => set({ equalizer: !open })}
        >
          <IconChevronRight size={18} aria-hidden className={classes.chevron} />
          <h2 id="equalizer-title">{t("eq.title")}</h2>
          <span className={classes.subtitle}>{t(`eq.subtitle.${layout.kind ?? "text"}`)}</span>
          {anywhere > 0 ? (
            <span className={classes.dot} title={t("knobs.changed")}>
              <span className="visually-hidden">{t("knobs.changed")}</span>
            </span>
          ) : null}
        </button>
        {open ? (
          <div className={classes.tools}>
            <Button
              kind="quiet"
              size="small"
              disabled={changed === 0}
              onClick={() => (of === null ? resetBands() : resetDeltaBands(of))}
            >
              {t("eq.reset")}
            </Button>
            <Button
              kind="quiet"
              size="small"
              className={classes.toggle}
              aria-pressed={linked}
              onClick={() => set({ linked: !linked })}
            >
              {t("eq.link")}
            </Button>
            <Button
              kind="quiet"
              size="small"
              aria-pressed={table}
              className={classes.toggle}
              onClick={() => set({ table: !table })}
            >
              {t("eq.table")}
            </Button>
          </div>
        ) : null}
      </div>
      {open ? (
        <div id="equalizer" className={classes.body}>
          {deltas.length > 0 ? (
            <fieldset className={classes.whose}>
              <legend className="visually-hidden">{t("eq.whose")}</legend>
              {[null, ...deltas].map((id) => (
                <button
                  key={id ?? ""}
                  type="button"
                  aria-pressed={of === id}
                  data-delta={id !== null || undefined}
                  onClick={() => setChosen(id)}
                >
                  {id === null ? t("eq.gains") : labelOf(id)}
                </button>
              ))}
            </fieldset>
          ) : null}
          {table ? (
            <BandTable names={names} of={of} />
          ) : (
            <>
              <BandChart names={names} of={of} linked={linked} selected={layer} onSelect={setSelected} />
              <div className={classes.layer}>
                <strong>
                  {bandName(layer)} <BlockWords name={names[layer] ?? ""} />
                </strong>
                {shownBands.map(({ name, value, set: change }) => (
                  <span key={name} className={classes.band} data-knob={name}>
                    <span aria-hidden="true">{name.toUpperCase()}</span>
                    <NumberBox
                      label={t("eq.bandValue", { name: name.toUpperCase(), band: bandName(layer, true) })}
                      value={value}
                      limits={{ min: 0, max: GAIN_MAX }}
                      format={formatGain}
                      onChange={change}
                    />
                  </span>
                ))}
                <span className={classes.switches} hidden={of !== null}>
                  <Button
                    size="small"
                    className={classes.toggle}
                    aria-pressed={soloed.includes(layer)}
                    aria-label={t("eq.soloLayer", { band: bandName(layer, true) })}
                    onClick={() => toggleSolo(layer)}
                  >
                    {t("eq.solo")}
                  </Button>
                  <Button
                    size="small"
                    className={classes.toggle}
                    aria-pressed={muted.includes(layer)}
                    aria-label={t("eq.muteLayer", { band: bandName(layer, true) })}
                    onClick={() => toggleMute(layer)}
                  >
                    {t("eq.mute")}
                  </Button>
                </span>
              </div>
              <p className={classes.help}>
                {of === null ? null : `${t("eq.deltaHelp", { name: labelOf(of) })} `}
                {t("eq.help")} {soloed.length > 0 ? t("eq.soloNote") : null}{" "}
                {groups.length < layers ? t("eq.grouped", { n: (groups[0]?.to ?? 0) + 1 }) : null}
              </p>
            </>
          )}
          <Points layout={layout} selected={layer} onSelect={setSelected} />
        </div>
      ) : null}
    </section>
  );
});

const BLOCKS = ["IN", "M", "OUT", "TE"] as const;

/** What a UNet's stretch of blocks does; nothing for a numbered layer. */
function BlockWords({ name }: { name: string }) {
  const t = useWords();
  const block = BLOCKS.find((one) => /^[A-Z]+/.exec(name)?.[0] === one);
  return block ? <small className={classes.block}>{t(`eq.block.${block}`)}</small> : null;
}
