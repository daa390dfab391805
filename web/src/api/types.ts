/** The names the page uses for what the API's schema describes. */
import type { components } from "./schema";

type S = components["schemas"];

export type Card = S["Card"];
export type Layout = S["Layout"];
export type Delta = S["Delta"];
export type Adapter = S["Adapter"];
export type ModelDetail = S["ModelDetail"];
/** A run that answers: the only kind the page asks for. */
export type Run = Omit<S["Run"], "request" | "result"> & {
  request: RunRequest;
  result: RunResult | null;
};
export type RunRequest = S["RunRequest"];
export type RunSummary = S["RunSummary"];
export type RunIn = S["GenerateIn"];
export type RecipeJson = S["RecipeIn"];
export type SamplingJson = S["SamplingIn"];
export type RunResult = S["ResultEvent"];
export type LaneResult = S["LaneResult"];
export type Manifest = S["Manifest"];
export type Session = S["Session"];
