/** Runs that learn a knob between two opposite prompts. Knows the API, no screen. */
import { ask } from "./runs";
import type { components } from "./schema";

type S = components["schemas"];

/** Whatever is left out is core's own. */
export type SliderJson = Pick<S["SliderIn"], "plus" | "minus"> & Partial<S["SliderIn"]>;
export type SliderResult = S["SliderResultEvent"];
export type LearnRequest = S["LearnRequest"];
export type LearnAsked = Pick<S["LearnIn"], "model" | "name"> & { slider: SliderJson };
export type LearnRun = Omit<S["Run"], "kind" | "request" | "result"> & {
  kind: "learn";
  request: LearnRequest;
  result: SliderResult | null;
};

export const startLearning = (asked: LearnAsked): Promise<LearnRun> => ask("learn", asked);
