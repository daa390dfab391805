/** One run's own stream: all of its log from the beginning, then live, until it has ended. For runs of other pages and
 * for those of before a reload. Knows one run. */
import type { ImfineError } from "@/shared/errors";
import { isTerminal, type RunEvent } from "../events";
import { StreamSource } from "./source";

export function followRun(
  run: string,
  handler: (event: RunEvent) => void,
  onError?: (error: ImfineError) => void,
): () => void {
  let over = false;
  const source = new StreamSource({
    url: () => `/api/runs/${encodeURIComponent(run)}/events`,
    onEvent: ({ id, data }) => {
      const event = { ...(JSON.parse(data) as Omit<RunEvent, "id">), id } as RunEvent;
      if (event.type === "state" && isTerminal(event.state)) over = true;
      handler(event);
    },
    onState: (state, error) => {
      if (state === "closed" && error) onError?.(error);
    },
    isOver: () => over,
  });
  source.start();
  return () => source.stop();
}
