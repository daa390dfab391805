/** The runs that wait or work right now, of all pages: seeded once from the server, then kept by the stream's states.
 * Knows no screen. */
import { create } from "zustand";
import { api, body } from "@/api/client";
import { isTerminal, type RunEvent, type RunState } from "@/api/events";
import { subscribeAll } from "@/api/stream/pageStream";
import type { RunSummary } from "@/api/types";

export type Work = {
  id: string;
  name: string;
  model: string;
  state: RunState;
  attempt: number;
  position: number | null;
  phase: (NonNullable<RunSummary["phase"]> & { since: number; from: number }) | null;
  seen: number; // ms since the epoch, when this page first heard of it
};

export const useActivity = create<{ works: ReadonlyMap<string, Work> }>(() => ({ works: new Map() }));

function change(update: (works: Map<string, Work>) => void): void {
  useActivity.setState(({ works }) => {
    const next = new Map(works);
    update(next);
    return { works: next };
  });
}

export function takeEvent(event: RunEvent, now = Date.now()): void {
  const known = useActivity.getState().works.get(event.run);
  if (event.type === "state") {
    if (isTerminal(event.state)) {
      if (known) change((works) => works.delete(event.run));
      return;
    }
    change((works) =>
      works.set(event.run, {
        id: event.run,
        name: event.name,
        model: event.model,
        state: event.state,
        attempt: event.attempt,
        position: event.position,
        phase: event.state === "queued" || known?.attempt !== event.attempt ? null : (known.phase ?? null),
        seen: known?.seen ?? now,
      }),
    );
  } else if (known && (event.type === "phase" || event.type === "train_steps")) {
    const { phase, done, total, unit } = event.type === "phase" ? event : trained(event);
    const same = known.phase?.phase === phase && known.phase.done <= done ? known.phase : null;
    const next = { phase, done, total, unit, since: same?.since ?? now, from: same?.from ?? done };
    change((works) => works.set(event.run, { ...known, state: "running", position: null, phase: next }));
  }
}

/** Steps of a training run say by themselves how far it is. */
const trained = ({ step, steps }: Extract<RunEvent, { type: "train_steps" }>) => ({
  phase: "training",
  done: step.at(-1) ?? 0,
  total: steps,
  unit: "steps",
});

function seed(runs: RunSummary[]): void {
  const now = Date.now();
  change((works) => {
    for (const run of runs) {
      if (works.has(run.id) || isTerminal(run.state)) continue;
      const { id, name, model, state, attempt, position } = run;
      const phase = run.phase ? { ...run.phase, since: now, from: run.phase.done } : null;
      works.set(id, { id, name, model, state, attempt, position, phase, seen: Date.parse(run.created_at) });
    }
  });
}

/** Listens first, then asks what was already there: nothing falls between. */
export function watchActivity(): () => void {
  const stop = subscribeAll((event) => takeEvent(event));
  for (const state of ["running", "queued"] as const)
    void body(api.GET("/api/runs", { params: { query: { state, limit: 20 } } }))
      .then(({ items }) => seed(items))
      .catch(() => undefined); // the stream's states fill in; the banner tells of a lost connection
  return stop;
}

/** Seconds still to go, from the pace of this phase so far; null while that would be a guess. */
export function remainingSeconds(phase: NonNullable<Work["phase"]>, now: number): number | null {
  const elapsed = (now - phase.since) / 1000;
  const moved = phase.done - phase.from;
  if (phase.total === null || moved <= 0 || elapsed < 1) return null;
  return ((phase.total - phase.done) / moved) * elapsed;
}
