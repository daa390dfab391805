/** Moments of a run at which it answered or drew, and which of them is looked at. Knows samples. */
import { useState } from "react";
import { type Sample, sampledAt } from "../logic/course";
import { useT } from "../words";
import classes from "./Samples.module.css";

export interface Moments {
  steps: readonly number[];
  first: number;
  step: number; // that is looked at
  look: (step: number) => void;
}

/** The latest moment until another is chosen. Null: there is none yet. */
export function useMoments(samples: readonly Sample[]): Moments | null {
  const [chosen, setChosen] = useState<number | null>(null); // null: the latest
  const steps = sampledAt(samples);
  const [first] = steps;
  if (first === undefined) return null;
  const latest = steps.at(-1) ?? first;
  return {
    steps,
    first,
    step: chosen !== null && steps.includes(chosen) ? chosen : latest,
    look: (step) => setChosen(step === latest ? null : step),
  };
}

/** Over all moments but the first, which is always in sight. */
export function MomentSlider({ moments: { steps, step, look } }: { moments: Moments }) {
  const t = useT();
  if (steps.length < 2) return null;
  const after = t("samples.after", { step });
  return (
    <label className={classes.over}>
      <span className="visually-hidden">{t("samples.over")}</span>
      <input
        type="range"
        min={1}
        max={steps.length - 1}
        step={1}
        value={Math.max(1, steps.indexOf(step))}
        disabled={steps.length < 3}
        aria-valuetext={after}
        onChange={(event) => look(steps[Number(event.target.value)] ?? step)}
      />
      <output>{after}</output>
    </label>
  );
}
