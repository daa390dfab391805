/** What the model answers to the watched questions: before training, and at a moment one chooses. Knows samples. */
import { useState } from "react";
import { type Sample, sampledAt } from "../logic/course";
import { useT } from "../words";
import classes from "./Samples.module.css";

export function Samples({ samples, over }: { samples: readonly Sample[]; over: boolean }) {
  const t = useT();
  const [chosen, setChosen] = useState<number | null>(null); // null: the latest
  const moments = sampledAt(samples);
  const [first] = moments;
  if (first === undefined) return null;
  const place = chosen === null ? moments.length - 1 : Math.min(chosen, moments.length - 1);
  const moment = moments[place] ?? first;
  const prompts = [...new Map(samples.map(({ index, prompt }) => [index, prompt]))].sort(([a], [b]) => a - b);
  const at = (index: number, step: number) =>
    samples.find((one) => one.index === index && one.step === step)?.text;
  const after = t("samples.after", { step: moment });
  return (
    <section className={classes.samples} aria-labelledby="train-samples">
      <header className={classes.head}>
        <h3 id="train-samples">{t("samples.title")}</h3>
        {moments.length > 1 ? (
          <label className={classes.over}>
            <span className="visually-hidden">{t("samples.over")}</span>
            <input
              type="range"
              min={1}
              max={moments.length - 1}
              step={1}
              value={Math.max(1, place)}
              disabled={moments.length < 3}
              aria-valuetext={after}
              onChange={(event) => {
                const next = Number(event.target.value);
                setChosen(next === moments.length - 1 ? null : next);
              }}
            />
            <output>{after}</output>
          </label>
        ) : null}
      </header>
      {prompts.map(([index, prompt]) => {
        const before = at(index, first);
        const now = at(index, moment);
        return (
          <article key={index} className={classes.sample}>
            <h4>{prompt}</h4>
            <div className={classes.pair}>
              <Answer title={t("samples.before")} text={before} />
              {moment > first ? (
                <Answer title={after} text={now} same={now === before} tuned />
              ) : (
                <p className={classes.wait}>{over ? null : t("samples.waiting")}</p>
              )}
            </div>
          </article>
        );
      })}
    </section>
  );
}

type AnswerProps = { title: string; text: string | undefined; same?: boolean; tuned?: boolean };

function Answer({ title, text, same, tuned }: AnswerProps) {
  const t = useT();
  return (
    <div className={classes.answer} data-tuned={tuned || undefined}>
      <span>
        {title}
        {same ? ` · ${t("samples.same")}` : null}
      </span>
      <p>{text?.trim() ? text.trim() : <em>{text === undefined ? "…" : t("samples.empty")}</em>}</p>
    </div>
  );
}
