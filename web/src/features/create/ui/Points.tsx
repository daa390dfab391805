/** The points beneath the knobs: q k v o gate up down norm, for all layers or one, and the heads of o.
 *  Knows the draft's points and the layout's list of them. */
import { IconChevronRight, IconX } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { Button } from "@/shared/ui/Button";
import { NumberBox } from "@/shared/ui/NumberBox";
import { resetPoints, setPoint, useDraft } from "../logic/draft";
import { bandNames, formatGain, GAIN_MAX, type Layout } from "../logic/recipe";
import { useView } from "../logic/view";
import { useWords } from "../messages";
import { useBandName } from "./bandName";
import eq from "./Equalizer.module.css";
import classes from "./Points.module.css";

const SIDED = ["q1", "k1", "v1", "o1", "q2", "k2", "v2", "o2"] as const;
const KNOWN = ["q", "k", "v", "o", "gate", "up", "down", "norm", ...SIDED] as const;
type Known = (typeof KNOWN)[number];
const isKnown = (point: string): point is Known => (KNOWN as readonly string[]).includes(point);
const LIMITS = { min: 0, max: GAIN_MAX };

type Props = { layout: Layout; selected: number; onSelect: (layer: number) => void };

export function Points({ layout, selected, onSelect }: Props) {
  const t = useWords();
  const { points: open, set } = useView();
  const [one, setOne] = useState(false);
  const points = useDraft((draft) => draft.recipe.points);
  const count = Object.keys(points).length;
  const names = useMemo(() => bandNames(layout), [layout]);
  const bandName = useBandName(names);
  const prefix = one ? `${names[selected]}.` : "";
  const where = one ? bandName(selected) : t("points.everywhere");
  const shown = new Set(layout.points.map((point) => prefix + point));
  const others = Object.entries(points).filter(([key]) => !shown.has(key));

  return (
    <section className={classes.points} aria-labelledby="points-title">
      <div className={eq.head}>
        <button
          type="button"
          className={eq.fold}
          aria-expanded={open}
          aria-controls="points"
          onClick={() => set({ points: !open })}
        >
          <IconChevronRight size={16} aria-hidden className={eq.chevron} />
          <h3 id="points-title">{t("points.title")}</h3>
          <span className={eq.subtitle}>{t("points.subtitle")}</span>
          {count > 0 ? (
            <span className={eq.dot} title={t("knobs.changed")}>
              <span className="visually-hidden">{t("knobs.changed")}</span>
            </span>
          ) : null}
        </button>
        {open ? (
          <Button kind="quiet" size="small" disabled={count === 0} onClick={resetPoints}>
            {t("points.reset")}
          </Button>
        ) : null}
      </div>
      {open ? (
        <div id="points" className={classes.body}>
          <label className={classes.scope}>
            <span>{t("points.scope")}</span>
            <select
              value={one ? selected : "all"}
              onChange={(event) => {
                setOne(event.target.value !== "all");
                if (event.target.value !== "all") onSelect(Number(event.target.value));
              }}
            >
              <option value="all">{t("points.all")}</option>
              {names.map((name, layer) => (
                <option key={name} value={layer}>
                  {bandName(layer)}
                </option>
              ))}
            </select>
          </label>
          <ul className={classes.grid}>
            {layout.points.map((point) => {
              const value = points[prefix + point] ?? 1;
              return (
                <li key={point} data-changed={value !== 1 || undefined}>
                  <code>{point}</code>
                  <span className={classes.meaning}>{isKnown(point) ? t(`points.${point}`) : null}</span>
                  <NumberBox
                    label={t("points.value", { point, where })}
                    value={value}
                    limits={LIMITS}
                    format={formatGain}
                    onChange={(next) => setPoint(prefix + point, next)}
                  />
                </li>
              );
            })}
          </ul>
          {one && layout.heads && layout.points.includes("o") ? (
            <fieldset className={classes.heads}>
              <legend>{t("points.heads", { band: bandName(selected) })}</legend>
              <div className={classes.headGrid}>
                {Array.from({ length: layout.heads }, (_, head) => head).map((head) => {
                  const key = `${prefix}o.h${head}`;
                  const value = points[key] ?? 1;
                  return (
                    <button
                      key={head}
                      type="button"
                      aria-pressed={value === 0}
                      aria-label={t("points.headValue", { n: head, value: formatGain(value) })}
                      title={t("points.headsHelp")}
                      onClick={() => setPoint(key, value === 0 ? 1 : 0)}
                    >
                      {value === 0 ? <IconX size={12} aria-hidden /> : head}
                    </button>
                  );
                })}
              </div>
              <p className={eq.help}>{t("points.headsHelp")}</p>
            </fieldset>
          ) : null}
          {others.length > 0 ? (
            <div className={classes.others}>
              <span>{t("points.list")}</span>
              {others.map(([key, value]) => (
                <Button
                  key={key}
                  size="small"
                  aria-label={t("points.remove", { point: key })}
                  onClick={() => setPoint(key, 1)}
                >
                  {key} {formatGain(value)} <IconX size={13} aria-hidden />
                </Button>
              ))}
            </div>
          ) : null}
        </div>
      ) : null}
    </section>
  );
}
