/** Sharing of two answers in words: how they were asked for, and both as one HTML file. Knows the draft and the lanes. */
import { useLanguage } from "@/shared/i18n/i18n";
import { type Asked, asCommand } from "../logic/copyAs";
import { heardKey, useDraft } from "../logic/draft";
import { exportHtml } from "../logic/exportHtml";
import { type LanesState, textOf } from "../logic/lanes";
import type { RecipeJson } from "../logic/recipe";
import { toRequest } from "../logic/sampling";
import { useWords } from "../messages";
import { Share } from "../ui/Share";

type Props = { model: string; layers: number; state: LanesState; change: string };

export function TextShare({ model, layers, state, change }: Props) {
  const t = useWords();
  const lang = useLanguage();
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
          facts: [
            [t("share.device"), result.device],
            [t("share.checksum"), String(result.checksum.weights ?? "")],
          ],
          command: asCommand(asked),
        },
        {
          lang,
          title: t("share.pageTitle", { model }),
          prompt: t("prompt.label"),
          original: t("lanes.base"),
          tuned: t("lanes.tuned"),
          change,
          recipe: t("share.recipe"),
          settings: t("share.settings"),
          layer: t("share.layerWord"),
          made: t("share.made"),
        },
      ));
  return <Share asked={asked} run={run} html={html} fileHelp={t("share.fileHelp")} />;
}
