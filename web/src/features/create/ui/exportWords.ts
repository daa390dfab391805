/** The words of a shared HTML file in the page's language, and on what its answers were made. Knows no answer. */
import { useLanguage } from "@/shared/i18n/i18n";
import type { Words } from "../logic/exportHtml";
import type { Result } from "../logic/lanes";
import { useWords } from "../messages";

export function useExportWords(model: string, layer: string): (change: string) => Words {
  const t = useWords();
  const lang = useLanguage();
  return (change) => ({
    lang,
    title: t("share.pageTitle", { model }),
    prompt: t("prompt.label"),
    original: t("lanes.base"),
    tuned: t("lanes.tuned"),
    change,
    recipe: t("share.recipe"),
    settings: t("share.settings"),
    layer,
    made: t("share.made"),
  });
}

export function useFacts(): (result: Result) => [string, string][] {
  const t = useWords();
  return ({ device, checksum }) => [
    [t("share.device"), device],
    [t("share.checksum"), String(checksum.weights ?? "")],
  ];
}
