/** The four steps of the way through, as the original service had them. */
import classes from "./Steps.module.css";
import { useT } from "./words";

const STEPS = ["choose", "equalize", "wait", "compare"] as const;

export function Steps({ now }: { now: (typeof STEPS)[number] }) {
  const t = useT();
  return (
    <ol className={classes.steps} aria-label={t("steps.label")}>
      {STEPS.map((step, index) => (
        <li key={step} aria-current={step === now ? "step" : undefined}>
          <span className={classes.number}>{index + 1}</span>
          {t(`steps.${step}`)}
        </li>
      ))}
    </ol>
  );
}
