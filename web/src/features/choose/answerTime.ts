/** How long this model's last answers took on this machine: their median, in seconds; null: none yet. */
import { queryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";

export function answerTimeQuery(model: string) {
  return queryOptions({
    queryKey: ["answer-time", model],
    queryFn: ({ signal }) =>
      body(api.GET("/api/runs", { params: { query: { model, state: "succeeded", limit: 9 } }, signal })).then(
        ({ items }) =>
          median(
            items.flatMap(({ started_at, finished_at }) =>
              started_at && finished_at ? [(Date.parse(finished_at) - Date.parse(started_at)) / 1000] : [],
            ),
          ),
      ),
    staleTime: 60_000,
  });
}

export function median(values: readonly number[]): number | null {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
