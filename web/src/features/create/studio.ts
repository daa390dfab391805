/** Ties the draft to runs: asks when the recipe moves, follows the run that counts, keeps what has finished.
 *  Knows stores and API; draws nothing. Lives as long as the page is open, so that a visit to Jobs ends nothing. */

import { create } from "zustand";
import { isTerminal, type RunEvent } from "@/api/events";
import type { ImageJson, KeptPicture } from "@/api/pictures";
import { cancelRun, createRun, getRun } from "@/api/runs";
import { subscribe } from "@/api/stream/pageStream";
import { followRun } from "@/api/stream/runStream";
import { asImfineError } from "@/shared/errors";
import { useChosenModel } from "@/shared/store/model";
import { type AnswerKind, type Draft, fitTo, heard, loadRecipe, sitAt, useDraft } from "./logic/draft";
import {
  accepted,
  asked,
  EMPTY,
  isBlank,
  isBusy,
  type LanesState,
  lossRise,
  received,
  refused,
  reopened,
} from "./logic/lanes";
import { Live } from "./logic/live";
import { fromJson, keyOf, type Layout, type Recipe, type RecipeJson, toJson } from "./logic/recipe";
import { fromRequest, type Sampling, toRequest } from "./logic/sampling";
import { remember } from "./logic/variants";
import { fromImageRequest, type ImageSettings, toImageRequest } from "./pictures/settings";

/** How an answer of each kind is asked for: what of the draft goes into the request. */
interface Ways {
  text: { sampling: Partial<Sampling>; top: number };
  image: { image: ImageJson };
}
type HowAsked = Ways[AnswerKind];
type Settled = Pick<Draft, "kind" | "prompt" | "sampling" | "image">;

const HOW: { [K in AnswerKind]: (draft: Settled) => Ways[K] } = {
  text: ({ sampling }) => ({ sampling: toRequest(sampling), top: 5 }),
  image: ({ image }) => ({ image: { ...toImageRequest(image), previews: true } }),
};
/** What the original's answer hangs on, beside model and prompt. */
const SETTINGS: Record<AnswerKind, (draft: Settled) => unknown> = {
  text: ({ sampling }) => toRequest(sampling),
  image: ({ image }) => toImageRequest(image),
};

interface Move {
  model: string;
  prompt: string;
  how: HowAsked;
  recipe: Recipe;
  baseKey: string;
  recipeKey: string;
}

export const useLanes = create<LanesState>(() => EMPTY);

/** The last answer, to be found again after a reload. */
const LAST_KEY = "imfine.create.last";
const VIEWS_KEPT = 24;

const views = new Map<string, LanesState>(); // finished runs of this visit, for going back without asking
let context: { model: string; layers: number } | null = null; // null: the model's layout is still on its way
let answering: string | null = null; // the model that the lanes belong to
let askWhenConnected = false;
let quiet = false; // a kept run is being laid out: its recipe is no move
let unfollow: (() => void) | null = null;

export const baseKeyOf = (model: string, draft: Settled): string =>
  JSON.stringify([model, draft.prompt, SETTINGS[draft.kind](draft)]);

function moveOf(draft: Draft): Move | null {
  if (!context || draft.prompt.trim() === "") return null;
  const { model, layers } = context;
  const recipe = heard(draft, layers);
  return {
    model,
    prompt: draft.prompt,
    how: HOW[draft.kind](draft),
    recipe,
    baseKey: baseKeyOf(model, draft),
    recipeKey: keyOf(recipe),
  };
}

const live = new Live<Move>({
  post: ({ model, prompt, recipe, how }, replaces) =>
    createRun({
      replaces,
      model,
      prompt,
      recipe: toJson(recipe) as never,
      lanes: ["base", "tuned"],
      ...(how as object),
    } as never),
  cancel: async (run) => {
    await cancelRun(run);
  },
  asked: ({ baseKey, recipeKey }) => {
    follow(null);
    useLanes.setState((state) => asked(state, baseKey, recipeKey), true);
    return useLanes.getState().move;
  },
  accepted: (move, run, request) => {
    useLanes.setState((state) => accepted(state, move, run), true);
    if (useLanes.getState().run !== run) return;
    keepLast(run, request.baseKey, request.recipeKey);
    follow(subscribe(run, (event) => take(event, request)));
  },
  refused: (move, thrown) => {
    const { code, message, remedy, field, value, params } = asImfineError(thrown);
    const error = { code, message, remedy, field, value, params };
    useLanes.setState((state) => refused(state, move, error), true);
  },
});

function follow(next: (() => void) | null): void {
  unfollow?.();
  unfollow = next;
}

type Asked = Pick<Move, "model" | "baseKey" | "recipeKey">;

function take(event: RunEvent, request: Asked): void {
  useLanes.setState((state) => received(state, event), true);
  if (event.type !== "state" || !isTerminal(event.state)) return;
  live.ended(event.run);
  const state = useLanes.getState();
  if (event.run !== state.run || state.state !== "succeeded") return;
  views.set(event.run, state);
  for (const run of views.keys()) if (views.size > VIEWS_KEPT) views.delete(run);
  keepVariant(state, request);
}

function keepVariant(state: LanesState, { model, baseKey, recipeKey }: Asked): void {
  const { run, base, tuned, pictures } = state;
  if (run === null || isBlank({ ...state, base: EMPTY.base })) return;
  remember({
    run,
    model,
    baseKey,
    recipeKey,
    recipe: JSON.parse(recipeKey) as RecipeJson,
    beginning: tuned.texts.join("").trimStart().slice(0, 90),
    repetition: tuned.measures?.repetition ?? null,
    lossRise: lossRise(base, tuned),
    firstChange: tuned.measures?.first_change ?? null,
    tokens: tuned.ids.length,
    picture: pictures.tuned.items[0]?.url ?? null,
  });
}

function keepLast(run: string, baseKey: string, recipeKey: string): void {
  localStorage.setItem(LAST_KEY, JSON.stringify({ run, baseKey, recipeKey }));
}

/** Asks with the draft as it stands; as soon as the model's layout is here, where it is still on its way. */
export function ask(): void {
  const draft = useDraft.getState();
  const move = moveOf(draft);
  if (move) live.move(move);
  else if (context === null && draft.prompt.trim() !== "") {
    askWhenConnected = true;
    useLanes.setState({ state: "asking" });
  }
}

export function stop(): void {
  askWhenConnected = false;
  live.stop();
  useLanes.setState((state) =>
    state.state === "asking" ? { ...state, state: "cancelled", move: state.move + 1 } : state,
  );
}

/** From now on a moved recipe asks at once, of this model; `layout` is null until its config is here.
 *  Returns what of the recipe did not fit, and the end. */
export function connect(
  model: string,
  layout: Layout | null,
  kind: AnswerKind = "text",
): { dropped: string[]; disconnect: () => void } {
  const changed = answering !== model;
  const layers = layout?.layers ?? 0;
  context = { model, layers };
  answering = model;
  quiet = true;
  sitAt(kind);
  const dropped = layout ? fitTo(layout) : [];
  quiet = false;
  if (askWhenConnected) {
    askWhenConnected = false;
    ask();
  } else if (changed) resume(model);
  const unsubscribe = useDraft.subscribe((now, before) => {
    const same = now.recipe === before.recipe && now.muted === before.muted && now.soloed === before.soloed;
    if (quiet || same || keyOf(heard(now, layers)) === keyOf(heard(before, layers))) return;
    ask();
  });
  const disconnect = () => {
    unsubscribe();
    context = null;
  };
  return { dropped, disconnect };
}

/** After a reload: the last answer, if the draft still is what it answered. */
function resume(model: string): void {
  const state = useLanes.getState();
  const draft = useDraft.getState();
  const baseKey = baseKeyOf(model, draft);
  if (isBusy(state) || state.baseKey === baseKey) return;
  live.stop();
  follow(null);
  useLanes.setState({ ...EMPTY, move: state.move + 1 }, true);
  const kept = localStorage.getItem(LAST_KEY);
  if (!kept) return;
  const last = JSON.parse(kept) as { run: string; baseKey: string; recipeKey: string };
  const recipeKey = moveOf(draft)?.recipeKey;
  if (last.baseKey !== baseKey || last.recipeKey !== recipeKey) return;
  replay(last.run, { model, ...last }, ["base", "tuned"]);
  live.adopt(last.run);
}

function replay(run: string, request: Asked, lanes: string[]): void {
  live.stop();
  const view = views.get(run);
  if (view) {
    follow(null);
    useLanes.setState((state) => ({ ...view, move: state.move + 1 }), true);
    return;
  }
  useLanes.setState((state) => reopened(state, run, { ...request, lanes }), true);
  follow(
    followRun(
      run,
      (event) => take(event, request),
      (error) => {
        if (error.status === 404) localStorage.removeItem(LAST_KEY);
        useLanes.setState(error.status === 404 ? EMPTY : { state: "failed", error });
      },
    ),
  );
}

/** A kept run as it was: model, prompt, recipe, settings and answers; nothing is asked anew. */
export async function reopen(id: string): Promise<void> {
  const { request } = await getRun(id);
  const prompt = request.prompt ?? String(request.messages?.at(-1)?.content ?? "");
  const settings = request.image
    ? { image: fromImageRequest(request.image) }
    : { sampling: fromRequest(request.sampling as Partial<Sampling>) };
  const tuned = request.lanes.find(({ name }) => name !== "base");
  const recipe = fromJson((tuned?.recipe ?? request.recipe) as RecipeJson);
  useChosenModel.getState().choose(request.model);
  layOut(recipe, { prompt, ...settings }, request.image ? "image" : "text");
  const baseKey = baseKeyOf(request.model, useDraft.getState());
  const recipeKey = keyOf(recipe);
  keepLast(id, baseKey, recipeKey);
  replay(
    id,
    { model: request.model, baseKey, recipeKey },
    request.lanes.map(({ name }) => name),
  );
}

/** A variant of this prompt again: its recipe and its answer. */
export function bringBack(run: string, recipe: RecipeJson): void {
  const { model, baseKey, recipeKey } = { model: answering ?? "", ...keysNow(recipe) };
  layOut(fromJson(recipe), {});
  keepLast(run, baseKey, recipeKey);
  replay(run, { model, baseKey, recipeKey }, ["base", "tuned"]);
}

function keysNow(recipe: RecipeJson): { baseKey: string; recipeKey: string } {
  const baseKey = baseKeyOf(answering ?? "", useDraft.getState());
  return { baseKey, recipeKey: keyOf(fromJson(recipe)) };
}

/** What one of our PNGs carries, laid out again: its model, words, recipe, settings and seed. */
export function restorePicture({ model, prompt, recipe, image, seed }: KeptPicture): void {
  const settings: ImageSettings = { ...fromImageRequest(image), seed, count: 1 };
  useChosenModel.getState().choose(model);
  layOut(fromJson(recipe as RecipeJson), { prompt, image: settings }, "image");
}

/** A trained model as its parent's delta, all the way on: the original in one lane, it in the other. `first`: what it is
 *  asked where no prompt is laid out yet. */
export function besideItsOriginal(id: string, parent: string, kind?: AnswerKind, first = ""): void {
  stop();
  useChosenModel.getState().choose(parent);
  layOut(fromJson({ deltas: { [id]: 1 } }), {}, kind);
  if (useDraft.getState().prompt.trim() === "") useDraft.setState({ prompt: first });
  context = null; // the parent's is on its way
  askWhenConnected = useDraft.getState().prompt.trim() !== "";
}

function layOut(recipe: Recipe, rest: Partial<Draft>, kind: AnswerKind = useDraft.getState().kind): void {
  quiet = true;
  sitAt(kind);
  loadRecipe(recipe);
  useDraft.setState(rest);
  quiet = false;
}
