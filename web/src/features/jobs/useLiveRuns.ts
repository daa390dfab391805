/** Keeps the list true while it is shown: states change in place; runs that are new are told, and fetched when the list
 * stands at its first pages. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { isTerminal, type StateEvent } from "@/api/events";
import { subscribeAll } from "@/api/stream/pageStream";
import type { RunSummary } from "@/api/types";
import type { RunPages } from "./runsQuery";

const GATHER_MS = 1200; // a moved slider makes several runs a second
const AT_ONCE_PAGES = 2;

export function useLiveRuns(key: readonly unknown[]): { fresh: boolean; refresh: () => void } {
  const queries = useQueryClient();
  const [fresh, setFresh] = useState(false);
  const keyText = JSON.stringify(key);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const queryKey = JSON.parse(keyText) as unknown[];
    const refetch = () => {
      timer = undefined;
      const pages = queries.getQueryData<RunPages>(queryKey)?.pages.length ?? 0;
      if (pages <= AT_ONCE_PAGES) void queries.invalidateQueries({ queryKey });
      else setFresh(true);
    };
    const stop = subscribeAll((event) => {
      if (event.type !== "state") return;
      let known = false;
      queries.setQueryData<RunPages>(queryKey, (data) => {
        if (!data) return data;
        const pages = data.pages.map((page) => {
          if (!page.items.some(({ id }) => id === event.run)) return page;
          known = true;
          return {
            ...page,
            items: page.items.map((run) => (run.id === event.run ? updated(run, event) : run)),
          };
        });
        return known ? { ...data, pages } : data;
      });
      if (isTerminal(event.state)) void queries.invalidateQueries({ queryKey: ["run", event.run] });
      if (!known) timer ??= setTimeout(refetch, GATHER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [queries, keyText]);

  const refresh = () => {
    setFresh(false);
    void queries.resetQueries({ queryKey: key });
    window.scrollTo({ top: 0 });
  };
  return { fresh, refresh };
}

function updated(run: RunSummary, event: StateEvent): RunSummary {
  const { state, attempt, position, worker, error } = event;
  const now = new Date().toISOString();
  return {
    ...run,
    state,
    attempt,
    position,
    worker,
    error,
    started_at: state === "running" ? (run.started_at ?? now) : run.started_at,
    finished_at: isTerminal(state) ? (run.finished_at ?? now) : run.finished_at,
  };
}
