/** A band in words: a language model's is a layer with a number, a UNet's block has a name of its own. */
import { useCallback } from "react";
import { useWords } from "../messages";

export function useBandName(names: readonly string[]): (band: number, within?: boolean) => string {
  const t = useWords();
  return useCallback(
    (band, within = false) => {
      const name = names[band] ?? "";
      if (!/^\d+$/.test(name)) return name;
      return t(within ? "eq.layerWithin" : "eq.layer", { n: name });
    },
    [t, names],
  );
}
