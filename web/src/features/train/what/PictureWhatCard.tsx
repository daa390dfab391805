/** What a model that draws is taught, and how: a goal, the parts, blocks and method it sets, what that comes to, what it
 *  draws on its way, and what few need. */
import type { Estimate } from "@/api/train";
import { CheckField } from "@/shared/ui/fields";
import { setPictureGoal, setPicturePlan, useDraft } from "../logic/draft";
import {
  type Blocks,
  blocksWithin,
  chosenBlocks,
  PICTURE_GOAL_SETS,
  PICTURE_GOALS,
  pictureGoalOf,
} from "../logic/picturePlan";
import type { Method } from "../logic/plan";
import { Choice } from "../ui/Choice";
import { useT } from "../words";
import { BlockStrip } from "./BlockStrip";
import { PictureExpert } from "./PictureExpert";
import { Prior } from "./Prior";
import { Questions } from "./Questions";
import { Counts, MethodChoice, PartsChoice, Rounds, TeachCard, usePartsWords } from "./Shared";

type Props = {
  blocks: Blocks;
  pixels: number;
  multiple: number;
  batch: number;
  captions: readonly string[]; // of the first pictures
  estimate: Estimate | null;
  counting: boolean;
  methods: readonly Method[]; // that some worker can train with
};

export function PictureWhatCard({
  blocks,
  pixels,
  multiple,
  batch,
  captions,
  estimate,
  counting,
  methods,
}: Props) {
  const t = useT();
  const plan = useDraft((draft) => draft.pictures);
  const goal = pictureGoalOf(plan);
  const partsOf = usePartsWords();
  const both = { plan, onChange: setPicturePlan };
  const chosen = blocksWithin(plan.blocks, blocks);
  return (
    <TeachCard own={goal === null}>
      <Choice
        label={t("what.goals")}
        hideLabel
        value={goal}
        options={PICTURE_GOALS.map((one) => {
          const { parts, method, rank, epochs, text_encoder } = PICTURE_GOAL_SETS[one];
          const words = { parts: partsOf(parts), method: t(`what.methods.${method}`), rank, epochs };
          return {
            value: one,
            name: t(`what.pictureGoal.${one}`),
            words: t(`what.pictureGoal.${one}Words`),
            more: t(text_encoder ? "what.setsEncoder" : "what.sets", words),
          };
        })}
        onChange={setPictureGoal}
      />
      <PartsChoice kind="image" {...both} />
      <BlockStrip
        all={blocks.all}
        own={blocks.own}
        chosen={chosen}
        parts={plan.parts}
        onChange={(names) => setPicturePlan({ blocks: chosenBlocks(names, blocks) })}
      />
      {blocks.encoder ? (
        <CheckField
          name={t("what.encoder")}
          help={t("what.encoderHelp")}
          checked={plan.text_encoder}
          onChange={(text_encoder) => setPicturePlan({ text_encoder })}
        />
      ) : null}
      <MethodChoice {...both} methods={methods} />
      <Rounds kind="image" {...both} />
      <Counts estimate={estimate} counting={counting} method={plan.method} />
      <Prior />
      <Questions kind="image" {...both} offered={captions} />
      <PictureExpert pixels={pixels} multiple={multiple} batch={batch} />
    </TeachCard>
  );
}
