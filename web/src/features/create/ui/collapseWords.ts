/** A measured collapse in words, with its value. */
import type { Collapse } from "../logic/variants";
import { useWords } from "../messages";

export function useCollapseWords(): (collapse: Collapse) => string {
  const t = useWords();
  return ({ why, value }) => t(`collapse.${why}`, { value: value.toFixed(2) });
}
