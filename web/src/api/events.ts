/** The events of a run, as the server streams them: those core yields and the server's own. Knows no transport. */
import type { components } from "./schema";

type S = components["schemas"];

export type RunState = S["StateEvent"]["state"];
export type PhaseName = S["PhaseEvent"]["phase"];
export type Candidate = S["Candidate"];
export type StateEvent = S["StateEvent"];
export type PhaseEvent = S["PhaseEvent"];
export type TokensEvent = S["TokensEvent"];
export type LaneEndEvent = S["LaneEndEvent"];
export type MeasuresEvent = S["MeasuresEvent"];
export type NoticeEvent = S["NoticeEvent"];
export type ResultEvent = S["RunResultEvent"];
export type RestartEvent = S["RestartEvent"];

/** `id` is the stream's, growing over all runs, null for what no log keeps; `attempt` tells a former worker's words from
 *  the present one's. */
export type RunEvent = S["Event"] & { id: number | null };

export function isTerminal(state: RunState): boolean {
  return state === "succeeded" || state === "failed" || state === "cancelled";
}
