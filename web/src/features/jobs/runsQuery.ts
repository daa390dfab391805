/** The runs, newest first, page by page; and one run wholly. */
import { type InfiniteData, infiniteQueryOptions, queryOptions } from "@tanstack/react-query";
import { api, body } from "@/api/client";
import { isTerminal } from "@/api/events";
import { getRun } from "@/api/runs";
import type { RunSummary } from "@/api/types";
import type { RunState } from "./view";

const PAGE = 100;

export type RunPages = InfiniteData<
  { items: RunSummary[]; next: string | null; total: number },
  string | null
>;

export function runsQuery(filter: { q?: string; state?: RunState }) {
  return infiniteQueryOptions({
    queryKey: ["runs", filter],
    queryFn: ({ pageParam, signal }) =>
      body(
        api.GET("/api/runs", {
          params: { query: { ...filter, limit: PAGE, cursor: pageParam ?? undefined } },
          signal,
        }),
      ),
    initialPageParam: null as string | null,
    getNextPageParam: (last) => last.next ?? undefined,
  });
}

export function runQuery(id: string) {
  return queryOptions({
    queryKey: ["run", id],
    queryFn: ({ signal }) => getRun(id, signal),
    staleTime: (query) =>
      query.state.data && isTerminal(query.state.data.state) ? Number.POSITIVE_INFINITY : 0,
  });
}
