/** The names the page uses for what the API's schema describes. */
import type { components } from "./schema";

type S = components["schemas"];

export type Card = S["Card"];
export type Layout = S["Layout"];
export type ModelDetail = S["ModelDetail"];
export type Run = S["Run"];
export type RunRequest = S["RunRequest"];
export type RunSummary = S["RunSummary"];
export type RunIn = S["RunIn"];
export type RecipeJson = S["RecipeIn"];
export type SamplingJson = S["SamplingIn"];
export type RunResult = S["ResultEvent"];
export type LaneResult = S["LaneResult"];
export type Manifest = S["Manifest"];
export type Session = S["Session"];
