/** Runs that learn a knob between two opposite prompts. Knows the API, no screen. */
import { pageId } from "@/shared/pageId";
import { api, body } from "./client";
import type { components } from "./schema";
import { streamOpen } from "./stream/pageStream";

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

/** Asks for it; its events come on this page's stream, which is open by then. */
export async function startLearning(asked: LearnAsked): Promise<LearnRun> {
  await streamOpen();
  return body(
    api.POST("/api/runs", {
      body: { kind: "learn", page: pageId, ...asked } as S["LearnIn"],
      params: { header: {} },
    }),
  ) as Promise<LearnRun>;
}
