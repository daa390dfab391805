/** What was heard so far: every finished recipe, kept in the browser. Also the measured collapse zones: only
 *  what these variants themselves showed, never a guess. Knows no page. */

import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { Scale } from "./knob";
import { KNOBS, type KnobName, type RecipeJson } from "./recipe";

export interface Variant {
  run: string;
  model: string;
  baseKey: string;
  recipeKey: string;
  recipe: RecipeJson;
  beginning: string;
  repetition: number | null;
  firstChange: number | null;
  tokens: number;
}

export const COLLAPSE = 0.5; // half of the word pairs are repeats: a loop, not an answer
const ENOUGH_TOKENS = 12; // a few words say nothing about loops
const KEPT = 60;

export const isCollapsed = ({ repetition, tokens }: Variant): boolean =>
  repetition !== null && repetition >= COLLAPSE && tokens >= ENOUGH_TOKENS;

export const useVariants = create<{ items: Variant[] }>()(
  persist(() => ({ items: [] as Variant[] }), { name: "imfine.create.variants", version: 1 }),
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
  repetition: number; // the measured value that set the zone's edge
  at: number;
}

/** Where this knob alone was measured to break the model down: from the mildest collapsed value that no sound
 *  one lies beyond, out to the end of the scale. */
export function collapseZones(variants: Variant[], model: string, knob: KnobName, scale: Scale): Zone[] {
  const alone = variants.filter(
    (v) =>
      v.model === model &&
      v.repetition !== null &&
      v.tokens >= ENOUGH_TOKENS &&
      !v.recipe.bands &&
      !v.recipe.points &&
      KNOBS.every((name) => name === knob || (v.recipe[name] ?? 1) === 1),
  );
  const zones: Zone[] = [];
  for (const side of [-1, 1]) {
    const seen = alone
      .map((v) => ({
        at: v.recipe[knob] ?? 1,
        collapsed: isCollapsed(v),
        repetition: v.repetition ?? 0,
      }))
      .filter(({ at }) => (at - 1) * side > 0)
      .sort((a, b) => Math.abs(b.at - 1) - Math.abs(a.at - 1)); // the farthest first
    let edge: (typeof seen)[number] | null = null;
    for (const one of seen) {
      if (!one.collapsed) break;
      edge = one;
    }
    if (!edge) continue;
    const { at, repetition } = edge;
    zones.push(
      side > 0
        ? { min: at, max: Math.max(at, scale.max), at, repetition }
        : { min: Math.min(at, scale.min), max: at, at, repetition },
    );
  }
  return zones;
}
