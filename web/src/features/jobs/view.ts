/** What the address says of the Jobs page: search, state, the open run, the baseline. */

export type JobsView = { q?: string; state?: string; run?: string; base?: string };
export type ChangeView = (change: JobsView, replace?: boolean) => void;

export const STATES = ["queued", "running", "succeeded", "failed", "cancelled"] as const;
export type RunState = (typeof STATES)[number];

export function stateOf(view: JobsView): RunState | undefined {
  return STATES.find((state) => state === view.state);
}
