/** Answers the page's requests in a test: by "METHOD /path", and a live stream that the test writes into. */
import { vi } from "vitest";

type Ask = { method: string; path: string; query: URLSearchParams; body: unknown; headers: Headers };
type Handler = (ask: Ask) => unknown;

export type FakeServer = {
  asked: Ask[];
  on: (route: string, handler: Handler) => void;
  /** Writes an event into every open stream whose path begins so -> its id. */
  say: (path: string, data: Record<string, unknown>) => number;
};

let lastEvent = 0;

/** An event as a stream writes it. The page remembers what it has seen: ids grow over all tests. */
export function eventText(event: Record<string, unknown>): string {
  lastEvent += 1;
  return `id: ${lastEvent}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

export function answer(status: number, body: unknown): Response {
  return new Response(body === null ? null : JSON.stringify(body), {
    status,
    headers: { "content-type": "application/json", "x-request-id": "req-1" },
  });
}

export function refusal(
  status: number,
  code: string,
  message: string,
  field: string | null = null,
): Response {
  return answer(status, { error: { code, message, remedy: "", field, value: null, params: {} } });
}

/** `routes`: "GET /api/runs/:id" → body, Response, or what makes one. Streams answer by themselves. */
export function fakeServer(routes: Record<string, Handler>): FakeServer {
  const asked: Ask[] = [];
  const table = new Map(Object.entries(routes));
  const streams = new Set<{ path: string; send: (text: string) => void }>();

  const find = (method: string, path: string) =>
    [...table].find(([route]) => {
      const [verb = "", shape = ""] = route.split(" ");
      return verb === method && new RegExp(`^${shape.replace(/:\w+/g, "[^/]+")}$`).test(path);
    })?.[1];

  vi.stubGlobal("fetch", async (input: RequestInfo | URL, init?: RequestInit) => {
    const asRequest = input instanceof Request ? input : null;
    const url = new URL(asRequest ? asRequest.url : String(input), "http://127.0.0.1:7878");
    const method = (asRequest?.method ?? init?.method ?? "GET").toUpperCase();
    const text = asRequest && method !== "GET" ? await asRequest.text() : "";
    const headers = new Headers(asRequest?.headers ?? init?.headers);
    const ask = {
      method,
      path: url.pathname,
      query: url.searchParams,
      body: text ? JSON.parse(text) : null,
      headers,
    };
    asked.push(ask);
    const handler = find(method, decodeURIComponent(url.pathname));
    if (handler) {
      const made = await handler(ask);
      return made instanceof Response ? made : answer(200, made);
    }
    if (url.pathname.endsWith("/events")) return stream(url.pathname, init?.signal ?? null);
    return refusal(404, "not_found", `no ${method} ${url.pathname}`);
  });

  function stream(path: string, signal: AbortSignal | null): Response {
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        const one = { path, send: (text: string) => controller.enqueue(new TextEncoder().encode(text)) };
        streams.add(one);
        one.send(": open\n\n");
        signal?.addEventListener("abort", () => {
          streams.delete(one);
          controller.error(new DOMException("aborted", "AbortError"));
        });
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  return {
    asked,
    on: (route, handler) => table.set(route, handler),
    say: (path, data) => {
      const text = eventText(data);
      for (const one of streams) if (one.path.startsWith(path)) one.send(text);
      return lastEvent;
    },
  };
}
