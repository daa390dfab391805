/** Sharing of two answers in words: how they were asked for, and both as one HTML file. Knows the draft and the lanes. */
import { type Asked, asCommand } from "../logic/copyAs";
import { heardKey, useDraft } from "../logic/draft";
import { exportHtml } from "../logic/exportHtml";
import { type LanesState, textOf } from "../logic/lanes";
import type { RecipeJson } from "../logic/recipe";
import { toRequest } from "../logic/sampling";
import { useWords } from "../messages";
import { useExportWords, useFacts } from "../ui/exportWords";
import { Share } from "../ui/Share";

type Props = { model: string; layers: number; state: LanesState; change: string };

export function TextShare({ model, layers, state, change }: Props) {
  const t = useWords();
  const words = useExportWords(model, change, t("share.layerWord"));
  const facts = useFacts();
  const prompt = useDraft((draft) => draft.prompt);
  const sampling = toRequest(useDraft((draft) => draft.sampling));
  const recipe = JSON.parse(useDraft((draft) => heardKey(draft, layers))) as RecipeJson;
  const asked: Asked = { model, prompt, recipe, how: { sampling } };
  const { result, base, tuned, run } = state;
  const html =
    result &&
    (() =>
      exportHtml(
        {
          model: result.model,
          revision: result.revision,
          dtype: result.dtype,
          prompt,
          base: textOf(base),
          tuned: textOf(tuned),
          recipe,
          settings: { ...sampling, seed: result.seed },
          facts: facts(result),
          command: asCommand(asked),
        },
        words,
      ));
  return <Share asked={asked} run={run} html={html} fileHelp={t("share.fileHelp")} />;
}
