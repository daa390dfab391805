/** Asking for runs and about them. Knows the API, no screen. */
import { pageId } from "@/shared/pageId";
import { api, body } from "./client";
import { streamOpen } from "./stream/pageStream";
import type { Run, RunIn } from "./types";

/** Asks for a run whose events come on this page's stream; waits until that is open, so that none is missed. */
export async function createRun(
  asked: Omit<RunIn, "kind" | "page">,
  options: { signal?: AbortSignal; idempotencyKey?: string } = {},
): Promise<Run> {
  await streamOpen();
  return body(
    api.POST("/api/runs", {
      body: { ...asked, kind: "generate", page: pageId },
      params: { header: options.idempotencyKey ? { "idempotency-key": options.idempotencyKey } : {} },
      signal: options.signal,
    }),
  ) as Promise<Run>;
}

export function getRun(id: string, signal?: AbortSignal): Promise<Run> {
  return body(api.GET("/api/runs/{id}", { params: { path: { id } }, signal })) as Promise<Run>;
}

export function cancelRun(id: string): Promise<Run> {
  return body(api.POST("/api/runs/{id}/cancel", { params: { path: { id } } })) as Promise<Run>;
}
