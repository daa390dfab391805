/** What a model that writes is taught, and how: a goal, the parts, layers and method it sets, what that comes to, and what
 *  few need. */
import type { Estimate } from "@/api/train";
import { setGoal, setPlan, useDraft } from "../logic/draft";
import { GOAL_SETS, GOALS, goalOf, layersWithin, type Method, type Size } from "../logic/plan";
import { Choice } from "../ui/Choice";
import { useT } from "../words";
import { Expert } from "./Expert";
import { LayerStrip } from "./LayerStrip";
import { Questions } from "./Questions";
import { Counts, MethodChoice, PartsChoice, Rounds, TeachCard, usePartsWords } from "./Shared";

type Props = {
  layers: number;
  context: number | null;
  size: Size;
  estimate: Estimate | null;
  counting: boolean;
  methods: readonly Method[]; // that some worker can train with
};

export function WhatCard({ layers, context, size, estimate, counting, methods }: Props) {
  const t = useT();
  const plan = useDraft((draft) => draft.plan);
  const goal = goalOf(plan);
  const partsOf = usePartsWords();
  const both = { plan, onChange: setPlan };
  return (
    <TeachCard own={goal === null}>
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
      <PartsChoice kind="text" {...both} />
      {layers > 0 ? (
        <LayerStrip
          count={layers}
          range={layersWithin(plan.layers, layers)}
          parts={plan.parts}
          onChange={(range) => setPlan({ layers: range })}
        />
      ) : null}
      <MethodChoice {...both} methods={methods} />
      <Rounds kind="text" {...both} />
      <Counts estimate={estimate} counting={counting} method={plan.method} />
      <Questions kind="text" {...both} />
      <Expert context={context} size={size} />
    </TeachCard>
  );
}
