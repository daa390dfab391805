/** The bands as numbers: every layer a row, every value to type. Knows the draft's bands. */
import { setBandAt, toggleMute, toggleSolo, useDraft } from "../logic/draft";
import { bandOf, GAIN_MAX, KNOBS } from "../logic/recipe";
import { useWords } from "../messages";
import classes from "./Equalizer.module.css";
import { NumberBox } from "./NumberBox";

export function BandTable({ layers }: { layers: number }) {
  const t = useWords();
  const recipe = useDraft((draft) => draft.recipe);
  const muted = useDraft((draft) => draft.muted);
  const soloed = useDraft((draft) => draft.soloed);
  const bands = KNOBS.map((name) => ({ name, values: bandOf(recipe, name, layers) }));
  return (
    <div className={classes.scroll}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">{t("eq.axis")}</th>
            {KNOBS.map((name) => (
              <th key={name} scope="col" style={{ color: `var(--${name}-ink)` }}>
                {name.toUpperCase()}
              </th>
            ))}
            <th scope="col">{t("eq.solo")}</th>
            <th scope="col">{t("eq.mute")}</th>
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: layers }, (_, layer) => layer).map((layer) => (
            <tr key={layer}>
              <th scope="row">{layer}</th>
              {bands.map(({ name, values }) => (
                <td key={name}>
                  <NumberBox
                    label={t("eq.bandValue", { name: name.toUpperCase(), n: layer })}
                    value={values[layer] ?? 1}
                    limits={{ min: 0, max: GAIN_MAX }}
                    onChange={(next) => setBandAt(name, layers, layer, layer, next)}
                  />
                </td>
              ))}
              <td>
                <input
                  type="checkbox"
                  aria-label={t("eq.soloLayer", { n: layer })}
                  checked={soloed.includes(layer)}
                  onChange={() => toggleSolo(layer)}
                />
              </td>
              <td>
                <input
                  type="checkbox"
                  aria-label={t("eq.muteLayer", { n: layer })}
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
