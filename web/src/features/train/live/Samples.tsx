/** What the model answers to the watched questions: before training, and at a moment one chooses. Knows samples. */
import { promptsOf, type Sample } from "../logic/course";
import { useT } from "../words";
import { MomentSlider, useMoments } from "./Moments";
import classes from "./Samples.module.css";

export function Samples({ samples, over }: { samples: readonly Sample[]; over: boolean }) {
  const t = useT();
  const moments = useMoments(samples);
  if (moments === null) return null;
  const { first, step } = moments;
  const at = (index: number, step: number) =>
    samples.find((one) => one.index === index && one.step === step)?.text;
  return (
    <section className={classes.samples} aria-labelledby="train-samples">
      <header className={classes.head}>
        <h3 id="train-samples">{t("samples.title.text")}</h3>
        <MomentSlider moments={moments} />
      </header>
      {promptsOf(samples).map(([index, prompt]) => {
        const before = at(index, first);
        const now = at(index, step);
        return (
          <article key={index} className={classes.sample}>
            <h4>{prompt}</h4>
            <div className={classes.pair}>
              <Answer title={t("samples.before")} text={before} />
              {step > first ? (
                <Answer title={t("samples.after", { step })} text={now} same={now === before} tuned />
              ) : (
                <p className={classes.wait}>{over ? null : t("samples.waiting.text")}</p>
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
