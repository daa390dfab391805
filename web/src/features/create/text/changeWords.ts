/** What a move did to an answer, in words. */
import type { Change } from "../logic/lanes";
import { useWords } from "../messages";

export function useChangeWords(): (change: Change) => string {
  const t = useWords();
  return (change) => {
    if (change === null) return "";
    if (change.kind === "at") return t("change.at", { n: change.token + 1 });
    return t(change.kind === "none" ? "change.none" : "change.sameSoFar");
  };
}
