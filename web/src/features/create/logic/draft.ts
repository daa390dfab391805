/** The draft: what the person has set up and a reload must not lose. Knows neither network nor answers nor model.
 *  Undo reaches 50 steps back over recipe, solo, mute and sampling; a gesture (a drag, a held key) is one step. */

import { temporal } from "zundo";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import { useStoreWithEqualityFn } from "zustand/traditional";
import {
  bandOf,
  compile,
  fitRecipe,
  type KnobName,
  keyOf,
  type Layout,
  NEUTRAL,
  type Recipe,
  withBand,
  withKnob,
  withPoint,
} from "./recipe";
import { DEFAULT_SAMPLING, type Sampling } from "./sampling";

export interface Settings {
  recipe: Recipe;
  muted: number[];
  soloed: number[];
  sampling: Sampling;
  slot: "A" | "B";
  other: Recipe; // what waits in the slot that is not heard
}

export interface Draft extends Settings {
  prompt: string;
}

const INITIAL: Draft = {
  prompt: "",
  recipe: NEUTRAL,
  muted: [],
  soloed: [],
  sampling: DEFAULT_SAMPLING,
  slot: "A",
  other: NEUTRAL,
};

const settingsOf = ({ recipe, muted, soloed, sampling, slot, other }: Draft): Settings => ({
  recipe,
  muted,
  soloed,
  sampling,
  slot,
  other,
});

const same = (a: Settings, b: Settings): boolean =>
  a === b || JSON.stringify(settingsOf(a as Draft)) === JSON.stringify(settingsOf(b as Draft));

export const UNDO_DEPTH = 50;
export const DRAFT_KEY = "imfine.create.draft";

export const useDraft = create<Draft>()(
  temporal(
    persist(() => INITIAL, {
      name: DRAFT_KEY,
      version: 1,
      merge: (kept, now) => ({
        ...now,
        ...(kept as Partial<Draft>),
        sampling: { ...now.sampling, ...(kept as Partial<Draft> | undefined)?.sampling },
      }),
    }),
    { limit: UNDO_DEPTH, partialize: settingsOf, equality: same },
  ),
);
useDraft.temporal.getState().clear(); // what a reload brings back is no step

const history = () => useDraft.temporal.getState();
const edit = (change: (draft: Draft) => Partial<Draft>): void => {
  useDraft.setState(change);
};

let before: Settings | null = null;

/** From here to `endGesture` all changes are one undo step. */
export function beginGesture(): void {
  if (before) return;
  before = settingsOf(useDraft.getState());
  history().pause();
}

export function endGesture(): void {
  if (!before) return;
  const start = before;
  before = null;
  history().resume();
  if (same(start, settingsOf(useDraft.getState()))) return;
  useDraft.temporal.setState(({ pastStates }) => ({
    pastStates: [...pastStates, start].slice(-UNDO_DEPTH),
    futureStates: [],
  }));
}

export function undo(): void {
  endGesture();
  history().undo();
}

export function redo(): void {
  endGesture();
  history().redo();
}

export const useHistoryDepth = (): { past: number; future: number } =>
  useStoreWithEqualityFn(
    useDraft.temporal,
    (s) => ({ past: s.pastStates.length, future: s.futureStates.length }),
    (a, b) => a.past === b.past && a.future === b.future,
  );

export const setPrompt = (prompt: string): void => edit(() => ({ prompt }));
export const setSampling = (part: Partial<Sampling>): void =>
  edit(({ sampling }) => ({ sampling: { ...sampling, ...part } }));
export const setKnob = (name: KnobName, value: number): void =>
  edit(({ recipe }) => ({ recipe: withKnob(recipe, name, value) }));
export const setBand = (name: KnobName, values: number[]): void =>
  edit(({ recipe }) => ({ recipe: withBand(recipe, name, values) }));
export const setPoint = (key: string, value: number): void =>
  edit(({ recipe }) => ({ recipe: withPoint(recipe, key, value) }));

/** One layer's band; the others stay. */
export function setBandAt(name: KnobName, layers: number, from: number, to: number, value: number): void {
  edit(({ recipe }) => {
    const band = [...bandOf(recipe, name, layers)];
    band.fill(value, from, to + 1);
    return { recipe: withBand(recipe, name, band) };
  });
}

/** A whole recipe (a variant, a link, a preset); solo and mute are already in its bands. */
export const loadRecipe = (recipe: Recipe): void => edit(() => ({ recipe, muted: [], soloed: [] }));

export const resetBands = (): void =>
  edit(({ recipe }) => ({ recipe: { ...recipe, bands: {} }, muted: [], soloed: [] }));
export const resetPoints = (): void => edit(({ recipe }) => ({ recipe: { ...recipe, points: {} } }));
export const resetRecipe = (): void => loadRecipe(NEUTRAL);

const toggled = (list: number[], layer: number): number[] =>
  list.includes(layer) ? list.filter((l) => l !== layer) : [...list, layer].sort((a, b) => a - b);
export const toggleMute = (layer: number): void => edit(({ muted }) => ({ muted: toggled(muted, layer) }));
export const toggleSolo = (layer: number): void => edit(({ soloed }) => ({ soloed: toggled(soloed, layer) }));

/** A/B: two recipes to go between; the other one begins as neutral. */
export const swapSlots = (): void =>
  edit(({ recipe, other, slot }) => ({
    recipe: other,
    other: recipe,
    slot: slot === "A" ? "B" : "A",
    muted: [],
    soloed: [],
  }));

/** Another model's layers: what does not fit is left behind, and named. */
export function fitTo(layout: Layout): string[] {
  const { recipe, muted, soloed } = useDraft.getState();
  const fitted = fitRecipe(recipe, layout);
  const inside = (layer: number): boolean => layer < layout.layers;
  if (fitted.dropped.length > 0 || !muted.every(inside) || !soloed.every(inside))
    edit(() => ({ recipe: fitted.recipe, muted: muted.filter(inside), soloed: soloed.filter(inside) }));
  return fitted.dropped;
}

/** The recipe as it is heard: solo and mute worked in. */
export const heard = ({ recipe, muted, soloed }: Settings, layers: number): Recipe =>
  compile(recipe, muted, soloed, layers);

export const heardKey = (settings: Settings, layers: number): string => keyOf(heard(settings, layers));
