/** The bands as numbers: every layer a row, every value to type. Knows the draft's bands. */

import { NumberBox } from "@/shared/ui/NumberBox";
import {
  type BandsOf,
  bandHere,
  bandsHere,
  fillBandHere,
  toggleMute,
  toggleSolo,
  useDraft,
} from "../logic/draft";
import { formatGain, GAIN_MAX } from "../logic/recipe";
import { useWords } from "../messages";
import { useBandName } from "./bandName";
import classes from "./Equalizer.module.css";

export function BandTable({ names, of }: { names: readonly string[]; of: BandsOf }) {
  const t = useWords();
  const bandName = useBandName(names);
  const layers = names.length;
  const recipe = useDraft((draft) => draft.recipe);
  const muted = useDraft((draft) => draft.muted);
  const soloed = useDraft((draft) => draft.soloed);
  const bands = bandsHere(of).map((name) => ({
    name,
    values: bandHere(recipe, of, name, layers),
    set: (layer: number, next: number) => fillBandHere(of, name, layers, [layer, layer], next),
  }));
  return (
    <div className={classes.scroll}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">{t("eq.axis")}</th>
            {bands.map(({ name }) => (
              <th key={name} scope="col" style={{ color: `var(--${name}-ink)` }}>
                {name.toUpperCase()}
              </th>
            ))}
            <th scope="col">{t("eq.solo")}</th>
            <th scope="col">{t("eq.mute")}</th>
          </tr>
        </thead>
        <tbody>
          {names.map((band, layer) => (
            <tr key={band}>
              <th scope="row">{band}</th>
              {bands.map(({ name, values, set }) => (
                <td key={name}>
                  <NumberBox
                    label={t("eq.bandValue", { name: name.toUpperCase(), band: bandName(layer, true) })}
                    value={values[layer] ?? 1}
                    limits={{ min: 0, max: GAIN_MAX }}
                    format={formatGain}
                    onChange={(next) => set(layer, next)}
                  />
                </td>
              ))}
              <td>
                <input
                  type="checkbox"
                  aria-label={t("eq.soloLayer", { band: bandName(layer, true) })}
                  checked={soloed.includes(layer)}
                  onChange={() => toggleSolo(layer)}
                />
              </td>
              <td>
                <input
                  type="checkbox"
                  aria-label={t("eq.muteLayer", { band: bandName(layer, true) })}
                  checked={muted.includes(layer)}
                  onChange={() => toggleMute(layer)}
                />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
