/**
 * One Server-Sent-Events stream that does not lose anything: read by fetch, resumed by the last id it saw, each id
 * handed on once, watched for stalls, connected again with growing pauses. Knows the transport, not what is said.
 *
 *   connecting → open → (end | error | stall) → waiting → connecting → …          stop() → closed
 */
import { createParser } from "eventsource-parser";
import { asImfineError, errorFromBody, type ImfineError, isAbort } from "@/shared/errors";

export type SourceState = "connecting" | "open" | "waiting" | "closed";

export type SourceOptions = {
  /** The address without `last`; asked again for every connection. */
  url: () => string;
  /** `id` is null for a passing event (a preview), which no catch-up brings again. */
  onEvent: (event: { id: number | null; type: string; data: string }) => void;
  onState?: (state: SourceState, error: ImfineError | null) => void;
  /** The server closed the stream in good order. True: that was all (a run's own stream after its end). */
  isOver?: () => boolean;
  last?: number | null;
  stallMs?: number;
  backoffMs?: readonly number[];
};

const PASSING: ReadonlySet<string> = new Set(["preview"]); // handed on live, never resumed from
const STALL_MS = 35_000; // the server pings every 15 s
const BACKOFF_MS = [250, 500, 1000, 2000, 4000, 8000, 15_000] as const;

export class StreamSource {
  last: number | null;
  private readonly options: SourceOptions;
  private life: AbortController | null = null; // of one start(); a stop() ends it for good
  private attempt = 0;
  private connection: AbortController | null = null;
  private wake: (() => void) | null = null;

  constructor(options: SourceOptions) {
    this.options = options;
    this.last = options.last ?? null;
  }

  start(): void {
    if (this.life) return;
    this.life = new AbortController();
    void this.run(this.life.signal);
  }

  stop(): void {
    this.life?.abort();
    this.life = null;
    this.connection?.abort();
    this.wake?.();
  }

  /** Give up the present connection or pause and connect at once: the page is back, the network is back, the url changed. */
  reconnect(): void {
    this.attempt = 0;
    this.connection?.abort();
    this.wake?.();
  }

  private async run(life: AbortSignal): Promise<void> {
    while (!life.aborted) {
      this.options.onState?.("connecting", null);
      let error: ImfineError | null = null;
      try {
        await this.read();
      } catch (thrown) {
        if (!isAbort(thrown)) error = asImfineError(thrown);
      }
      if (life.aborted) return;
      const final = error?.status === 401 || error?.status === 404; // asking again would not change it
      if (final || (error === null && this.options.isOver?.())) {
        this.life = null;
        this.options.onState?.("closed", error);
        return;
      }
      await this.pause(error);
    }
  }

  private async read(): Promise<void> {
    const connection = new AbortController();
    this.connection = connection;
    let alive = Date.now();
    const stallMs = this.options.stallMs ?? STALL_MS;
    const watch = setInterval(
      () => {
        if (Date.now() - alive > stallMs) connection.abort();
      },
      Math.min(1000, stallMs / 4),
    );
    try {
      const headers: Record<string, string> = { Accept: "text/event-stream" };
      if (this.last !== null) headers["Last-Event-ID"] = String(this.last);
      const answer = await fetch(this.options.url(), {
        headers,
        signal: connection.signal,
        credentials: "same-origin",
        cache: "no-store",
      });
      if (!answer.ok || !answer.body)
        throw errorFromBody(
          await answer.json().catch(() => null),
          answer.status,
          answer.headers.get("x-request-id"),
        );
      const begin = answer.headers.get("x-last-event-id"); // where to resume if it breaks before its first event
      if (this.last === null && begin !== null) this.last = Number(begin);
      this.options.onState?.("open", null);
      const parser = createParser({ onEvent: (event) => this.take(event.id, event.event, event.data) });
      const decoder = new TextDecoder();
      const reader = answer.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        alive = Date.now();
        this.attempt = 0;
        parser.feed(decoder.decode(value, { stream: true }));
      }
    } finally {
      clearInterval(watch);
      connection.abort();
    }
  }

  private take(idText: string | undefined, type: string | undefined, data: string): void {
    if (idText === undefined && type !== undefined && PASSING.has(type)) {
      this.options.onEvent({ id: null, type, data });
      return;
    }
    const id = Number(idText);
    if (idText === undefined || !Number.isSafeInteger(id)) return; // pings carry no id
    if (this.last !== null && id <= this.last) return; // seen before the connection broke
    this.last = id;
    this.options.onEvent({ id, type: type ?? "message", data });
  }

  private async pause(error: ImfineError | null): Promise<void> {
    const steps = this.options.backoffMs ?? BACKOFF_MS;
    const wait = steps[Math.min(this.attempt, steps.length - 1)] ?? 1000;
    this.attempt += 1;
    this.options.onState?.("waiting", error);
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, wait * (0.8 + Math.random() * 0.4));
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.wake = null;
  }
}
