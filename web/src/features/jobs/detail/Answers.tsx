/** Every lane's answer: original and tuned side by side, what is new in the tuned one marked. */
import type { Run } from "@/api/types";
import { number } from "@/shared/i18n/format";
import { useT } from "../words";
import classes from "./Answers.module.css";
import { DiffText } from "./DiffText";
import frame from "./RunDrawer.module.css";

/** `live`: the lanes' texts so far, while there is no result. */
export function Answers({ run, live }: { run: Run; live: readonly string[] }) {
  const t = useT();
  const lanes = run.request.lanes.map(({ name }, index) => {
    const done = run.result?.lanes[index];
    return { name, text: done?.text ?? live[index] ?? "", done };
  });
  const base = lanes.find(({ name }) => name === "base");
  return (
    <section className={frame.section}>
      <h3>{t("detail.answers")}</h3>
      <div className={classes.lanes}>
        {lanes.map(({ name, text, done }) => (
          <article key={name} className={classes.lane} data-lane={name === "base" ? "base" : "other"}>
            <h4 className={classes.name}>
              <i aria-hidden />
              {name === "base" || name === "tuned" ? t(`detail.${name}`) : name}
            </h4>
            <p className={classes.text}>
              {text === "" ? (
                <span className={classes.none}>{t("detail.no_answer")}</span>
              ) : base && base.name !== name && run.result ? (
                <DiffText before={base.text} after={text} />
              ) : (
                text
              )}
            </p>
            {done ? <p className={classes.measures}>{measures(done, t)}</p> : null}
          </article>
        ))}
      </div>
    </section>
  );
}

function measures(lane: NonNullable<Run["result"]>["lanes"][number], t: ReturnType<typeof useT>): string {
  const { tokens_per_s, repetition } = lane.metrics;
  return [
    t("detail.tokens", { count: lane.token_ids.length }),
    typeof tokens_per_s === "number" && t("detail.speed", { speed: number(tokens_per_s) }),
    typeof repetition === "number" && t("detail.repetition", { value: number(repetition, 2) }),
  ]
    .filter(Boolean)
    .join(" · ");
}
