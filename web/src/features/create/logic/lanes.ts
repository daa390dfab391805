/** Events → what the two lanes show. Pure: a state and an event in, a state out.
 *  Knows neither network nor React. Latest wins: what belongs to an older move, or to an older attempt of this
 *  one, is dropped. */

import type { Candidate, RunEvent, RunState } from "@/api/events";
import type { ErrorBody } from "@/shared/errors";
import { askedPictures, NO_PICTURES, type PicturePair, receivedPictures } from "../pictures/lanes";
import { firstChange, firstDifference } from "./diff";

export type Measures = Extract<RunEvent, { type: "measures" }>;
export type Result = Extract<RunEvent, { type: "result" }>;

export interface LaneView {
  ids: number[];
  texts: string[];
  top: (Candidate[] | null)[];
  ended: { reason: string; tokensPerSecond: number } | null;
  measures: Measures | null;
  stale: boolean; // belongs to the move before; cleared by the first token of the new one
}

export interface Notice {
  code: string;
  message: string;
  params: Record<string, unknown>;
}

export interface LanesState {
  move: number;
  run: string | null;
  attempt: number;
  state: "idle" | "asking" | RunState;
  position: number | null;
  phase: { phase: string; done: number; total: number | null; unit: string } | null;
  error: ErrorBody | null;
  notices: Notice[];
  baseKey: string; // model, prompt, sampling: while it stays, the base lane stays
  recipeKey: string; // of the move that is asked for
  index: { base: number; tuned: number }; // the lanes' places in the request
  base: LaneView;
  tuned: LaneView;
  pictures: PicturePair; // what an image model answers with, in place of words
  result: Result | null;
  proof: Result["checksum"] | null; // of the base lane as it stands
}

export const EMPTY_LANE: LaneView = {
  ids: [],
  texts: [],
  top: [],
  ended: null,
  measures: null,
  stale: false,
};

export const EMPTY: LanesState = {
  move: 0,
  run: null,
  attempt: 0,
  state: "idle",
  position: null,
  phase: null,
  error: null,
  notices: [],
  baseKey: "",
  recipeKey: "",
  index: { base: 0, tuned: 1 },
  base: EMPTY_LANE,
  tuned: EMPTY_LANE,
  pictures: NO_PICTURES,
  result: null,
  proof: null,
};

/** A move was made: the tuned lane goes stale, the base lane only if what it answers has changed. */
export function asked(state: LanesState, baseKey: string, recipeKey: string): LanesState {
  const sameBase = baseKey === state.baseKey;
  return {
    ...state,
    move: state.move + 1,
    run: null,
    attempt: 0,
    state: "asking",
    position: null,
    phase: null,
    error: null,
    notices: sameBase ? state.notices : [],
    baseKey,
    recipeKey,
    index: EMPTY.index,
    base: sameBase ? state.base : { ...state.base, stale: state.base.ids.length > 0 },
    tuned: { ...state.tuned, stale: state.tuned.ids.length > 0 },
    pictures: askedPictures(state.pictures, sameBase),
    result: null,
  };
}

/** The server took the move in: from here on only this run's events count. */
export function accepted(state: LanesState, move: number, run: string): LanesState {
  return move === state.move ? { ...state, run, state: "queued" } : state;
}

/** A kept run is opened again: nothing is asked, its log will be read from the start. */
export function reopened(
  state: LanesState,
  run: string,
  keys: { baseKey: string; recipeKey: string; lanes: readonly string[] },
): LanesState {
  const base = keys.lanes.indexOf("base");
  const tuned = keys.lanes.findIndex((name) => name !== "base");
  return {
    ...EMPTY,
    move: state.move + 1,
    run,
    state: "queued",
    baseKey: keys.baseKey,
    recipeKey: keys.recipeKey,
    index: { base, tuned },
  };
}

/** The move could not be asked for. */
export function refused(state: LanesState, move: number, error: ErrorBody): LanesState {
  return move === state.move ? { ...state, state: "failed", error } : state;
}

export function received(state: LanesState, event: RunEvent): LanesState {
  if (event.run !== state.run || event.attempt < state.attempt) return state;
  const fresh = event.attempt > state.attempt ? { ...state, attempt: event.attempt } : state;
  switch (event.type) {
    case "restart":
      return {
        ...fresh,
        base: EMPTY_LANE,
        tuned: EMPTY_LANE,
        pictures: NO_PICTURES,
        phase: null,
        result: null,
        proof: null,
        notices: [],
      };
    case "state":
      return {
        ...fresh,
        state: event.state,
        position: event.position ?? null,
        error: event.error ?? null,
        phase: event.state === "running" || event.state === "queued" ? fresh.phase : null,
      };
    case "phase":
      return {
        ...fresh,
        phase: { phase: event.phase, done: event.done, total: event.total, unit: event.unit },
      };
    case "notice":
      return {
        ...fresh,
        notices: [
          ...fresh.notices.filter((n) => n.code !== event.code),
          { code: event.code, message: event.message, params: event.params },
        ],
      };
    case "tokens":
      return withLane(fresh, event.lane, (lane) => append(lane, event));
    case "lane_end":
      return withPictures(
        withLane(fresh, event.lane, (lane) => ({
          ...(lane.stale ? EMPTY_LANE : lane),
          ended: { reason: event.finish_reason, tokensPerSecond: event.tokens_per_s },
        })),
        event,
      );
    case "measures":
      return withLane(fresh, event.lane, (lane) => ({ ...lane, measures: event }));
    case "preview":
    case "picture":
    case "picture_measures":
      return withPictures(fresh, event);
    case "result":
      return { ...fresh, result: event, proof: event.checksum, phase: null };
    default: // of training
      return fresh;
  }
}

const withPictures = (state: LanesState, event: RunEvent): LanesState => ({
  ...state,
  pictures: receivedPictures(state.pictures, event, state.index),
});

function withLane(state: LanesState, lane: number, change: (lane: LaneView) => LaneView): LanesState {
  if (lane === state.index.base) return { ...state, base: change(state.base) };
  if (lane === state.index.tuned) return { ...state, tuned: change(state.tuned) };
  return state;
}

type TokensEvent = Extract<RunEvent, { type: "tokens" }>;

/** Writes tokens at their places. A base lane that says again what stands there already stays as it is. */
function append(lane: LaneView, event: TokensEvent): LaneView {
  const from = lane.stale ? { ...EMPTY_LANE } : lane;
  const { start, ids, texts } = event;
  if (start > from.ids.length) return from; // a gap: the stream's catch-up will bring what is missing
  const known = ids.every((id, i) => from.ids[start + i] === id);
  if (known && from.ids.length >= start + ids.length) return from;
  return {
    ...from,
    ids: [...from.ids.slice(0, start), ...ids],
    texts: [...from.texts.slice(0, start), ...texts],
    top: [...from.top.slice(0, start), ...ids.map((_, i) => event.top?.[i] ?? null)],
    ended: null,
  };
}

export const textOf = (lane: LaneView): string => lane.texts.join("");

export type Change = { kind: "none" } | { kind: "at"; token: number } | { kind: "same-so-far" } | null;

/** What the move did: "first change at token k" as soon as it shows, "no token changed" once both have ended. */
export function changeOf({ base, tuned }: LanesState): Change {
  if (base.stale || tuned.stale || base.ids.length === 0 || tuned.ids.length === 0) return null;
  if (base.ended && tuned.ended) {
    const at = firstChange(base.ids, tuned.ids);
    return at === null ? { kind: "none" } : { kind: "at", token: at };
  }
  const at = firstDifference(base.ids, tuned.ids);
  return at === null ? { kind: "same-so-far" } : { kind: "at", token: at };
}

/** Nothing has been answered yet, in words or pictures. */
export const isBlank = ({ base, tuned, pictures }: LanesState): boolean =>
  [base.ids, tuned.ids, pictures.base.items, pictures.tuned.items].every((said) => said.length === 0);

export const isBusy = (state: LanesState): boolean =>
  state.state === "asking" || state.state === "queued" || state.state === "running";

/** How much worse the tuned model reads the reference text than the original, nats a token. */
export function lossRise(base: LaneView, tuned: LaneView): number | null {
  const before = base.measures?.reference_loss ?? null;
  const after = tuned.measures?.reference_loss ?? null;
  return before === null || after === null ? null : after - before;
}
