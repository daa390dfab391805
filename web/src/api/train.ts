/** Training: data sets, what a plan takes, runs that train. Knows the API, no screen. */
import { queryOptions } from "@tanstack/react-query";
import { errorFromBody, ImfineError } from "@/shared/errors";
import { api, body } from "./client";
import type { LearnRun, SliderJson } from "./learn";
import { ask } from "./runs";
import type { components } from "./schema";
import { signedOut } from "./sessionState";

type S = components["schemas"];

export type Dataset = S["Dataset"];
export type DatasetPreview = S["DatasetPreview"];
export type Finding = S["Finding"];
export type RowPreview = S["RowPreview"];
export type SampledPicture = S["SampledPicture"];
/** How it is trained, as it is asked for; whatever is left out is core's own. */
export type PlanJson = Partial<S["PlanIn"]>;
export type TrainResult = S["TrainResultEvent"];
export type TrainRequest = S["TrainRequest"];
export type Estimate = Omit<S["Estimate"], "change"> & { change: PlanJson | null };
export type ProbeResult = S["ProbeResultEvent"];
export type TrainRun = Omit<S["Run"], "kind" | "request" | "result"> & {
  kind: "train";
  request: TrainRequest;
  result: TrainResult | null;
};
export type TrainAsked = {
  model: string;
  revision?: string | null;
  name: string;
  dataset: string;
  plan: PlanJson;
  resumes?: string;
};
/** What a probe measures: a training, or a knob that is learned. */
export type ProbeAsked =
  | Pick<TrainAsked, "model" | "dataset" | "plan">
  | { model: string; slider: SliderJson };

export const datasetsQuery = queryOptions({
  queryKey: ["datasets"],
  queryFn: ({ signal }) => body(api.GET("/api/datasets", { signal })).then(({ items }) => items),
  staleTime: 30_000,
});

/** The first pictures, and how all of them are when they are cut to `pixels` a side; null: it is not known to what. */
export const picturePreviewQuery = (id: string, pixels: number | null, rows: number) =>
  firstRowsQuery(id, { rows, ...(pixels === null ? {} : { pixels }) });

/** The first rows as `model` reads them, cut at `length` tokens; as they stand where there is no model. */
export const previewQuery = (id: string, model: string | null, length: number | null, rows: number) =>
  firstRowsQuery(id, {
    rows,
    ...(model === null ? {} : { model }),
    ...(length === null ? {} : { length }),
  });

type FirstRows = { rows: number; model?: string; length?: number; pixels?: number };

function firstRowsQuery(id: string, query: FirstRows) {
  return queryOptions({
    queryKey: ["datasets", id, "preview", query],
    queryFn: ({ signal }) =>
      body(api.GET("/api/datasets/{id}/preview", { params: { path: { id }, query }, signal })),
    staleTime: Number.POSITIVE_INFINITY, // a data set never changes
    retry: false,
  });
}

export async function removeDataset(id: string): Promise<void> {
  await api.DELETE("/api/datasets/{id}", { params: { path: { id } } });
}

type Upload = {
  columns?: Record<string, string>;
  onProgress: (sent: number, total: number) => void;
  signal: AbortSignal;
};

/** Sends a file from the disk as it is read, and tells how far it is: `fetch` cannot. Rejects as the other requests do. */
export function uploadDataset(file: File, { columns, onProgress, signal }: Upload): Promise<Dataset> {
  const query = new URLSearchParams({ name: file.name });
  if (columns) query.set("columns", spelled(columns));
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/datasets?${query}`);
    request.setRequestHeader("content-type", "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded, total);
    request.upload.onload = () => onProgress(file.size, file.size);
    request.onload = () => {
      const said = read(request.responseText);
      if (request.status === 201) return resolve(said as Dataset);
      if (request.status === 401) signedOut();
      reject(errorFromBody(said, request.status, request.getResponseHeader("x-request-id")));
    };
    request.onerror = () =>
      reject(new ImfineError({ code: "unreachable", message: "the server cannot be reached" }));
    request.onabort = () => reject(signal.reason);
    signal.addEventListener("abort", () => request.abort(), { once: true });
    request.send(file);
  });
}

type Fetching = {
  columns?: Record<string, string>;
  onPhase: (phase: FetchPhase) => void;
  signal: AbortSignal;
};
export type FetchPhase = NonNullable<S["FetchStep"]["phase"]>;

/** Has the server fetch a data set of the Hub, `owner/name`; tells how far it is. Rejects as the other requests do. */
export async function fetchHubDataset(
  data: string,
  { columns, onPhase, signal }: Fetching,
): Promise<Dataset> {
  const { response } = await api.POST("/api/datasets/hub", {
    body: { data, columns: columns ? spelled(columns) : null },
    parseAs: "stream",
    signal,
  });
  for await (const line of lines(response)) {
    const step = JSON.parse(line) as S["FetchStep"];
    if (step.error) throw errorFromBody(step, 200, response.headers.get("x-request-id"));
    if (step.dataset) return step.dataset;
    if (step.phase) onPhase(step.phase);
  }
  throw new ImfineError({ code: "unreachable", message: "the server ended in the middle of its answer" });
}

async function* lines(response: Response): AsyncGenerator<string> {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    const parts = (rest + value).split("\n");
    rest = parts.pop() ?? "";
    yield* parts;
  }
}

const spelled = (columns: Record<string, string>): string =>
  Object.entries(columns)
    .map((pair) => pair.join("="))
    .join(",");

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** What a plan trains and what it takes, before anything runs. */
export function estimateQuery(model: string, plan: PlanJson) {
  return queryOptions({
    queryKey: ["estimate", model, plan],
    queryFn: ({ signal }) =>
      body(
        api.POST("/api/train/estimate", { body: { model, plan: plan as S["PlanIn"] }, signal }),
      ) as Promise<Estimate>,
    staleTime: 10_000, // what is free of the memory changes
    retry: false,
  });
}

export const startTraining = (asked: TrainAsked): Promise<TrainRun> => ask("train", asked);

/** Asks for some steps that are thrown away, to see how long all of them take; in the place of the measurement before. */
export const startProbe = (asked: ProbeAsked & { replaces: string | null }): Promise<S["Run"]> =>
  ask("probe", asked);

/** A run that trains or learns a knob. */
export function getTraining(id: string, signal?: AbortSignal): Promise<TrainRun | LearnRun> {
  return body(api.GET("/api/runs/{id}", { params: { path: { id } }, signal })) as unknown as Promise<
    TrainRun | LearnRun
  >;
}

/** Ends with the model as it is by now. */
export async function saveTraining(id: string): Promise<void> {
  await api.POST("/api/runs/{id}/save", { params: { path: { id } } });
}

/** Ends with a checkpoint, to go on from later. */
export async function pauseTraining(id: string): Promise<void> {
  await api.POST("/api/runs/{id}/pause", { params: { path: { id } } });
}

export const curvesUrl = (id: string): string => `/api/runs/${encodeURIComponent(id)}/curves.csv`;
export const tensorboardUrl = (id: string): string => `/api/runs/${encodeURIComponent(id)}/tensorboard`;
