/** The curve in numbers: every evaluation, and steps evenly between. Knows a course. */
import { number } from "@/shared/i18n/format";
import type { Course } from "../logic/course";
import { rate } from "../logic/rate";
import { useT } from "../words";
import classes from "./LossChart.module.css";

const ROWS = 24; // beside the evaluations; all of them are in the CSV

export function PointTable({ course, smooth }: { course: Course; smooth: Float64Array }) {
  const t = useT();
  const { curve, evaluations } = course;
  const perplexed = evaluations.some(({ perplexity }) => perplexity !== null); // pictures have none
  const every = Math.max(1, Math.ceil(curve.length / ROWS));
  const shown = new Map<number, number>(); // step → its place in the curve
  for (let i = 0; i < curve.length; i++) {
    const step = curve.at("step", i) ?? 0;
    if (i % every === 0 || i === curve.length - 1 || evaluations.some((one) => one.step === step))
      shown.set(step, i);
  }
  const steps = [...new Set([...shown.keys(), ...evaluations.map(({ step }) => step)])].sort((a, b) => a - b);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard
    <div className={classes.scroll} tabIndex={0}>
      <table className={classes.table}>
        <thead>
          <tr>
            <th scope="col">{t("chart.step")}</th>
            <th scope="col">{t("live.loss")}</th>
            <th scope="col">{t("chart.smooth")}</th>
            <th scope="col">{t("live.evalLoss")}</th>
            {perplexed ? <th scope="col">{t("chart.perplexity")}</th> : null}
            <th scope="col">{t("live.lr")}</th>
          </tr>
        </thead>
        <tbody>
          {steps.map((step) => {
            const i = shown.get(step);
            const held = evaluations.find((one) => one.step === step);
            return (
              <tr key={step}>
                <th scope="row">{number(step)}</th>
                <td>{i === undefined ? "" : number(curve.at("loss", i) ?? 0, 4)}</td>
                <td>{i === undefined ? "" : number(smooth[i] ?? 0, 4)}</td>
                <td>{held ? number(held.loss, 4) : ""}</td>
                {perplexed ? <td>{held?.perplexity == null ? "" : number(held.perplexity, 2)}</td> : null}
                <td>{i === undefined ? "" : rate(curve.at("lr", i) ?? 0)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}
