/** The draft: what the person has set up and a reload must not lose. Knows neither network nor answers nor model.
 *  Undo reaches 50 steps back over recipe, solo, mute and sampling; a gesture (a drag, a held key) is one step. */

import { temporal } from "zundo";
import { create } from "zustand";
import { persist } from "zustand/middleware";
import { useStoreWithEqualityFn } from "zustand/traditional";
import { DEFAULT_IMAGE, type ImageSettings } from "../pictures/settings";
import {
  BANDS,
  type BandName,
  bandOf,
  compile,
  DELTA_BANDS,
  type DeltaBand,
  type DeltaKnob,
  deltaBandOf,
  fitRecipe,
  type KnobName,
  keyOf,
  type Layout,
  NEUTRAL,
  type Recipe,
  withBand,
  withDelta,
  withDeltaBand,
  withKnob,
  withPoint,
} from "./recipe";
import { DEFAULT_SAMPLING, type Sampling } from "./sampling";

export interface Settings {
  recipe: Recipe;
  muted: number[];
  soloed: number[];
  sampling: Sampling;
  image: ImageSettings;
  slot: "A" | "B";
  other: Recipe; // what waits in the slot that is not heard
}

/** What a model answers with. */
export type AnswerKind = "text" | "image";

/** What is laid out for one kind of answer: words for a language model are no picture's, nor is its recipe. */
type Desk = Pick<Draft, "prompt" | "recipe" | "muted" | "soloed" | "slot" | "other">;

export interface Draft extends Settings {
  prompt: string;
  kind: AnswerKind;
  aside: Desk | null; // what was laid out for the other kind
}

const CLEAR: Desk = { prompt: "", recipe: NEUTRAL, muted: [], soloed: [], slot: "A", other: NEUTRAL };

const INITIAL: Draft = {
  ...CLEAR,
  sampling: DEFAULT_SAMPLING,
  image: DEFAULT_IMAGE,
  kind: "text",
  aside: null,
};

const settingsOf = ({ recipe, muted, soloed, sampling, image, slot, other }: Draft): Settings => ({
  recipe,
  muted,
  soloed,
  sampling,
  image,
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
      merge: (kept, now) => {
        const draft = { ...now, ...(kept as Partial<Draft>) };
        return {
          ...draft,
          recipe: { ...NEUTRAL, ...draft.recipe },
          other: { ...NEUTRAL, ...draft.other },
          sampling: { ...now.sampling, ...draft.sampling },
          image: { ...now.image, ...draft.image },
        };
      },
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
export const setImage = (part: Partial<ImageSettings>): void =>
  edit(({ image }) => ({ image: { ...image, ...part } }));
export const setKnob = (name: KnobName, value: number): void =>
  edit(({ recipe }) => ({ recipe: withKnob(recipe, name, value) }));
export const setBand = (name: BandName, values: number[]): void =>
  edit(({ recipe }) => ({ recipe: withBand(recipe, name, values) }));
export const setPoint = (key: string, value: number): void =>
  edit(({ recipe }) => ({ recipe: withPoint(recipe, key, value) }));

export const setDelta = (id: string, change: Partial<DeltaKnob> | null): void =>
  edit(({ recipe }) => ({ recipe: withDelta(recipe, id, change) }));

/** Whose bands an equalizer shows: the gains', or one delta's. */
export type BandsOf = string | null;
/** The parts that have bands there: a delta has none for EPS. */
export const bandsHere = (of: BandsOf): readonly BandName[] => (of === null ? BANDS : DELTA_BANDS);
export const bandHere = (recipe: Recipe, of: BandsOf, name: BandName, layers: number): number[] =>
  of === null ? bandOf(recipe, name, layers) : deltaBandOf(recipe, of, name as DeltaBand, layers);
const withBandHere = (recipe: Recipe, of: BandsOf, name: BandName, values: number[]): Recipe =>
  of === null ? withBand(recipe, name, values) : withDeltaBand(recipe, of, name as DeltaBand, values);
export const setBandHere = (of: BandsOf, name: BandName, values: number[]): void =>
  edit(({ recipe }) => ({ recipe: withBandHere(recipe, of, name, values) }));

/** Some layers' band; the others stay. */
export function fillBandHere(
  of: BandsOf,
  name: BandName,
  layers: number,
  [from, to]: readonly [number, number],
  value: number,
): void {
  edit(({ recipe }) => {
    const band = [...bandHere(recipe, of, name, layers)].fill(value, from, to + 1);
    return { recipe: withBandHere(recipe, of, name, band) };
  });
}

/** A whole recipe (a variant, a link, a preset); solo and mute are already in its bands. */
export const loadRecipe = (recipe: Recipe): void => edit(() => ({ recipe, muted: [], soloed: [] }));

export const resetBands = (): void =>
  edit(({ recipe }) => ({ recipe: { ...recipe, bands: {} }, muted: [], soloed: [] }));
export const resetDeltaBands = (id: string): void => setDelta(id, { bands: {} });
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

/** A model of this kind is worked with from now on: the other kind's words and recipe are laid aside, with what was left
 *  here last time in their place. What is undone belongs to one kind. */
export function sitAt(kind: AnswerKind): void {
  const { aside, prompt, recipe, muted, soloed, slot, other, kind: before } = useDraft.getState();
  if (kind === before) return;
  edit(() => ({ ...(aside ?? CLEAR), kind, aside: { prompt, recipe, muted, soloed, slot, other } }));
  history().clear();
}

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
