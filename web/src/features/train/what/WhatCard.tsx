/** What is taught and how: a goal, the parts, layers and method it sets, what that comes to, and what few need. */
import type { Estimate } from "@/api/train";
import { number, parameters, percent } from "@/shared/i18n/format";
import { Card } from "@/shared/ui/Card";
import { NumberField } from "@/shared/ui/fields";
import { Help } from "@/shared/ui/Help";
import { setGoal, setPlan, useDraft } from "../logic/draft";
import {
  GOAL_SETS,
  GOALS,
  goalOf,
  LIMITS,
  layersWithin,
  METHODS,
  type Method,
  type Part,
  type Size,
} from "../logic/plan";
import frame from "../TrainPage.module.css";
import { Choice } from "../ui/Choice";
import { useT } from "../words";
import { Expert } from "./Expert";
import { LayerStrip } from "./LayerStrip";
import { Questions } from "./Questions";
import classes from "./WhatCard.module.css";

type Props = {
  layers: number;
  context: number | null;
  size: Size;
  estimate: Estimate | null;
  counting: boolean;
  methods: readonly Method[]; // that some worker can train with
};

const CHOICES = { attn: ["attn"], mlp: ["mlp"], both: ["attn", "mlp"] } as const;

export function WhatCard({ layers, context, size, estimate, counting, methods }: Props) {
  const t = useT();
  const plan = useDraft((draft) => draft.plan);
  const goal = goalOf(plan);
  const part = plan.parts.length === 2 ? "both" : (plan.parts[0] ?? "both");
  const partsOf = (parts: readonly Part[]) => parts.map((one) => t(`what.part.${one}`)).join(" + ");
  return (
    <Card aria-labelledby="train-what" className={classes.card}>
      <header className={frame.head}>
        <h2 id="train-what">{t("what.title")}</h2>
        {goal === null ? <span className={classes.quiet}>{t("what.own")}</span> : null}
      </header>
      <Choice
        label={t("what.goals")}
        hideLabel
        value={goal}
        options={GOALS.map((one) => {
          const { parts, method, rank, epochs } = GOAL_SETS[one];
          return {
            value: one,
            name: t(`what.goal.${one}`),
            words: t(`what.goal.${one}Words`),
            more: t("what.sets", {
              parts: partsOf(parts),
              method: t(`what.methods.${method}`),
              rank,
              epochs,
            }),
          };
        })}
        onChange={setGoal}
      />
      <Choice
        label={t("what.parts")}
        value={part}
        options={(["attn", "mlp", "both"] as const).map((one) => ({
          value: one,
          name: t(`what.part.${one}`),
          words: t(`what.partWords.${one}`),
          tone: one,
        }))}
        onChange={(one) => setPlan({ parts: [...CHOICES[one]] })}
      />
      {layers > 0 ? (
        <LayerStrip
          count={layers}
          range={layersWithin(plan.layers, layers)}
          parts={plan.parts}
          onChange={(range) => setPlan({ layers: range })}
        />
      ) : null}
      <Choice
        label={t("what.method")}
        help={<Help about={t("what.method")}>{t("what.methodHelp")}</Help>}
        value={plan.method}
        options={METHODS.filter((one) => one === plan.method || methods.includes(one)).map((one) => ({
          value: one,
          name: t(`what.methods.${one}`),
          words: t(`what.methodWords.${one}`),
        }))}
        onChange={(method) => setPlan({ method })}
      />
      {plan.steps === null ? (
        <NumberField
          name={t("what.rounds")}
          help={t("what.roundsHelp")}
          value={plan.epochs}
          limits={LIMITS.epochs}
          onChange={(epochs) => setPlan({ epochs })}
        />
      ) : null}
      <p className={classes.counts} aria-live="polite" data-old={counting || undefined}>
        {estimate ? (
          <Counts estimate={estimate} beside={plan.method !== "full"} />
        ) : counting ? (
          t("what.counting")
        ) : null}
      </p>
      <Questions />
      <Expert context={context} size={size} />
    </Card>
  );
}

function Counts({ estimate, beside }: { estimate: Estimate; beside: boolean }) {
  const t = useT();
  const { trainable } = estimate;
  const share = percent(trainable.share, trainable.share < 0.1 ? 2 : 0);
  return t(beside ? "what.trainsBeside" : "what.trains", {
    parameters: parameters(trainable.parameters),
    all: parameters(trainable.all_parameters),
    share,
    tensors: number(trainable.tensors),
    allTensors: number(trainable.all_tensors),
  });
}
