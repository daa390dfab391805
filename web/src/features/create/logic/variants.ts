/** What was heard so far: every finished recipe, kept in the browser. Also the measured collapse zones: only
 *  what these variants themselves showed, never a guess. Knows no page. */

import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { Scale } from "@/shared/typed";
import { KNOBS, type KnobName, neutralOf, type RecipeJson } from "./recipe";

export interface Variant {
  run: string;
  model: string;
  baseKey: string;
  recipeKey: string;
  recipe: RecipeJson;
  beginning: string;
  repetition: number | null;
  lossRise: number | null; // nats a token on the reference text, above the original's
  firstChange: number | null;
  tokens: number;
  picture?: string | null; // address of the tuned lane's first picture
}

/** Why an answer is called broken, with the measured value: it loops, or the model no longer reads plain text. */
export interface Collapse {
  why: "repetition" | "loss";
  value: number;
}

const LOOPS = 0.5; // half of the word pairs are repeats: a loop, not an answer
const ENOUGH_TOKENS = 12; // a few words say nothing about loops
const LOSS_RISE = 2; // nats a token: the reference text has become e² ≈ 7 times as perplexing
const KEPT = 60;

type Measured = Pick<Variant, "repetition" | "lossRise" | "tokens">;

export function collapseOf({ repetition, lossRise, tokens }: Measured): Collapse | null {
  if (repetition !== null && repetition >= LOOPS && tokens >= ENOUGH_TOKENS)
    return { why: "repetition", value: repetition };
  return lossRise !== null && lossRise >= LOSS_RISE ? { why: "loss", value: lossRise } : null;
}

export const useVariants = create<{ items: Variant[] }>()(
  persist(() => ({ items: [] as Variant[] }), { name: "imfine.create.variants", version: 2 }),
);

/** The newest first; the same recipe on the same prompt is one variant. */
export function remember(variant: Variant): void {
  useVariants.setState(({ items }) => ({
    items: [
      variant,
      ...items.filter((v) => v.baseKey !== variant.baseKey || v.recipeKey !== variant.recipeKey),
    ].slice(0, KEPT),
  }));
}

export interface Zone extends Scale {
  at: number;
  collapse: Collapse; // what was measured at the zone's edge
}

/** Where this knob alone was measured to break the model down: from the mildest collapsed value that no sound
 *  one lies beyond, out to the end of the scale. */
export function collapseZones(variants: Variant[], model: string, knob: KnobName, scale: Scale): Zone[] {
  const alone = variants.filter(
    (v) =>
      v.model === model &&
      (v.tokens >= ENOUGH_TOKENS || collapseOf(v) !== null) &&
      !v.recipe.bands &&
      !v.recipe.points &&
      !v.recipe.deltas &&
      KNOBS.every((name) => name === knob || (v.recipe[name] ?? neutralOf(name)) === neutralOf(name)),
  );
  const zones: Zone[] = [];
  for (const side of [-1, 1]) {
    const seen = alone
      .map((v) => ({ at: v.recipe[knob] ?? 1, collapse: collapseOf(v) }))
      .filter(({ at }) => (at - 1) * side > 0)
      .sort((a, b) => Math.abs(b.at - 1) - Math.abs(a.at - 1)); // the farthest first
    let edge: Pick<Zone, "at" | "collapse"> | null = null;
    for (const { at, collapse } of seen) {
      if (!collapse) break;
      edge = { at, collapse };
    }
    if (!edge) continue;
    const { at } = edge;
    zones.push(
      side > 0
        ? { ...edge, min: at, max: Math.max(at, scale.max) }
        : { ...edge, min: Math.min(at, scale.min), max: at },
    );
  }
  return zones;
}
