/**
 * The page's one stream: every event of this page's runs, and the state of all runs. Knows who listens to which run,
 * not what they do with it.
 *
 * A run's first events may come before the answer to its POST has told its id: the last runs' events are kept, and a
 * new listener gets them first, in order, then what follows.
 */
import { create } from "zustand";
import type { ImfineError } from "@/shared/errors";
import { pageId } from "@/shared/pageId";
import type { RunEvent } from "../events";
import { signedOut } from "../sessionState";
import { type SourceState, StreamSource } from "./source";

export type Handler = (event: RunEvent) => void;

/** How the page is connected: for the banner. `lostAt` is set from the first failure until it is open again. */
export const useConnection = create<{ state: SourceState; lostAt: number | null; error: ImfineError | null }>(
  () => ({
    state: "closed",
    lostAt: null,
    error: null,
  }),
);

const KEPT_RUNS = 48;

const kept = new Map<string, RunEvent[]>(); // run → its events so far, the latest runs last
const listeners = new Map<string, Set<Handler>>();
const everything = new Set<Handler>();
const waiting = new Set<() => void>();

/** Of a picture's previews only the latest is kept, and none once the picture is there. */
function withEvent(events: RunEvent[], event: RunEvent): RunEvent[] {
  if (event.type !== "preview" && event.type !== "picture") {
    events.push(event);
    return events;
  }
  const rest = events.filter(
    (one) => one.type !== "preview" || one.lane !== event.lane || one.index !== event.index,
  );
  return [...rest, event];
}

function take(event: RunEvent): void {
  const events = withEvent(kept.get(event.run) ?? [], event);
  kept.delete(event.run);
  kept.set(event.run, events);
  for (const run of kept.keys()) {
    if (kept.size <= KEPT_RUNS) break;
    if (!listeners.has(run)) kept.delete(run);
  }
  for (const handler of [...(listeners.get(event.run) ?? []), ...everything]) handler(event);
}

const source = new StreamSource({
  url: () => `/api/events?page=${pageId}`,
  onEvent: ({ id, data }) => take({ ...(JSON.parse(data) as Omit<RunEvent, "id">), id } as RunEvent),
  onState: (state, error) => {
    useConnection.setState((before) => ({
      state,
      error: state === "open" ? null : (error ?? before.error),
      lostAt: state === "open" ? null : state === "waiting" ? (before.lostAt ?? Date.now()) : before.lostAt,
    }));
    if (error?.status === 401) signedOut();
    if (state === "open") for (const resolve of waiting) resolve();
  },
});

/** Everything known of a run so far, then what follows; in order, each event once. Returns the way to stop. */
export function subscribe(run: string, handler: Handler): () => void {
  const handlers = listeners.get(run) ?? new Set();
  listeners.set(run, handlers);
  for (const event of kept.get(run) ?? []) handler(event);
  handlers.add(handler);
  return () => {
    handlers.delete(handler);
    if (handlers.size === 0 && listeners.get(run) === handlers) listeners.delete(run);
  };
}

/** What happens from now on to any run: states of all, everything of this page's own. */
export function subscribeAll(handler: Handler): () => void {
  everything.add(handler);
  return () => everything.delete(handler);
}

/** Resolves when the stream is open, so that nothing of a run posted after it is missed; at the latest after `ms`. */
export function streamOpen(ms = 3000): Promise<void> {
  if (useConnection.getState().state === "open") return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      waiting.delete(done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    waiting.add(done);
  });
}

export function reconnectStream(): void {
  source.reconnect();
}

/** Opens the stream; catches up at once when the page comes back to sight or the network returns. */
export function startPageStream(): () => void {
  let hiddenAt = 0;
  const onVisible = () => {
    if (document.visibilityState === "hidden") hiddenAt = Date.now();
    else if (useConnection.getState().state !== "open" || Date.now() - hiddenAt > 20_000) source.reconnect();
  };
  const onOnline = () => source.reconnect();
  document.addEventListener("visibilitychange", onVisible);
  window.addEventListener("online", onOnline);
  source.start();
  return () => {
    document.removeEventListener("visibilitychange", onVisible);
    window.removeEventListener("online", onOnline);
    source.stop();
  };
}
