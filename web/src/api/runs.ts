/** Asking for runs and about them. Knows the API, no screen. */
import { pageId } from "@/shared/pageId";
import { api, body } from "./client";
import type { paths } from "./schema";
import { streamOpen } from "./stream/pageStream";
import type { Run, RunIn } from "./types";

type Asked = NonNullable<paths["/api/runs"]["post"]["requestBody"]>["content"]["application/json"];
type Options = { signal?: AbortSignal; idempotencyKey?: string };

/** Asks for a run whose events come on this page's stream; waits until that is open, so that none is missed. */
export async function ask<Answer>(
  kind: Asked["kind"],
  asked: object,
  { signal, idempotencyKey }: Options = {},
): Promise<Answer> {
  await streamOpen();
  return body(
    api.POST("/api/runs", {
      body: { ...asked, kind, page: pageId } as Asked,
      params: { header: idempotencyKey ? { "idempotency-key": idempotencyKey } : {} },
      signal,
    }),
  ) as unknown as Promise<Answer>;
}

export const createRun = (asked: Omit<RunIn, "kind" | "page">, options?: Options): Promise<Run> =>
  ask("generate", asked, options);

export function getRun(id: string, signal?: AbortSignal): Promise<Run> {
  return body(api.GET("/api/runs/{id}", { params: { path: { id } }, signal })) as Promise<Run>;
}

export function cancelRun(id: string): Promise<Run> {
  return body(api.POST("/api/runs/{id}/cancel", { params: { path: { id } } })) as Promise<Run>;
}
