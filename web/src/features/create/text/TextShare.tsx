/** Sharing of two answers in words: how they were asked for, and both as one HTML file. Knows the draft and the lanes. */
import { memo } from "react";
import { type Asked, asCommand } from "../logic/copyAs";
import { heardKey, useDraft } from "../logic/draft";
import { exportHtml } from "../logic/exportHtml";
import { changeOf, textOf } from "../logic/lanes";
import type { RecipeJson } from "../logic/recipe";
import { toRequest } from "../logic/sampling";
import { useWords } from "../messages";
import { useLanes } from "../studio";
import { useExportWords, useFacts } from "../ui/exportWords";
import { Share } from "../ui/Share";
import { useChangeWords } from "./changeWords";

type Props = { model: string; layers: number };

export const TextShare = memo(function TextShare({ model, layers }: Props) {
  const t = useWords();
  const changeWords = useChangeWords();
  const words = useExportWords(model, t("share.layerWord"));
  const facts = useFacts();
  const run = useLanes((lanes) => lanes.run);
  const whole = useLanes((lanes) => lanes.result !== null);
  const asked = (): Asked => {
    const draft = useDraft.getState();
    const recipe = JSON.parse(heardKey(draft, layers)) as RecipeJson;
    return { model, prompt: draft.prompt, recipe, how: { sampling: toRequest(draft.sampling) } };
  };
  const html = () => {
    const now = asked();
    const lanes = useLanes.getState();
    const { result, base, tuned } = lanes;
    if (!result) return "";
    return exportHtml(
      {
        model: result.model,
        revision: result.revision,
        dtype: result.dtype,
        prompt: now.prompt,
        base: textOf(base),
        tuned: textOf(tuned),
        recipe: now.recipe,
        settings: { ...toRequest(useDraft.getState().sampling), seed: result.seed },
        facts: facts(result),
        command: asCommand(now),
      },
      words(changeWords(changeOf(lanes))),
    );
  };
  return <Share asked={asked} run={run} html={whole ? html : null} fileHelp={t("share.fileHelp")} />;
});
