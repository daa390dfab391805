// @vitest-environment node
/** The stream against a real HTTP server that breaks, stalls and refuses. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test, vi } from "vitest";
import type { ImfineError } from "@/shared/errors";
import { StreamSource } from "./source";

let server: Server | undefined;
let source: StreamSource | undefined;

afterEach(async () => {
  source?.stop();
  server?.closeAllConnections();
  await new Promise((resolve) => (server ? server.close(resolve) : resolve(null)));
});

async function serve(
  handler: (connection: number, request: IncomingMessage, response: ServerResponse) => void,
) {
  let connections = 0;
  server = createServer((request, response) => {
    connections += 1;
    handler(connections, request, response);
  });
  await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}/api/events`;
}

const begin = (response: ServerResponse) => response.writeHead(200, { "content-type": "text/event-stream" });
const event = (id: number, text = `{"n":${id}}`) => `id: ${id}\nevent: tokens\ndata: ${text}\n\n`;

function listen(url: string, options: Partial<ConstructorParameters<typeof StreamSource>[0]> = {}) {
  const ids: number[] = [];
  const data: string[] = [];
  const states: string[] = [];
  const errors: (ImfineError | null)[] = [];
  source = new StreamSource({
    url: () => url,
    onEvent: (one) => {
      if (one.id !== null) ids.push(one.id);
      data.push(one.data);
    },
    onState: (state, error) => {
      states.push(state);
      errors.push(error);
    },
    backoffMs: [5, 10],
    ...options,
  });
  source.start();
  return { ids, data, states, errors };
}

test("a broken stream goes on from the last id: no gap, no double", async () => {
  const lasts: (string | undefined)[] = [];
  const url = await serve((connection, request, response) => {
    lasts.push(request.headers["last-event-id"] as string | undefined);
    begin(response);
    if (connection === 1) {
      response.write(event(1) + event(2));
      setTimeout(() => response.destroy(), 10);
    } else response.write(event(2) + event(3)); // a server that repeats one
  });
  const heard = listen(url);
  await vi.waitFor(() => expect(heard.ids).toEqual([1, 2, 3]));
  expect(lasts).toEqual([undefined, "2"]);
  expect(heard.states).toEqual(["connecting", "open", "waiting", "connecting", "open"]);
});

test("a stream that breaks before its first event goes on from where it began", async () => {
  const lasts: (string | undefined)[] = [];
  const url = await serve((connection, request, response) => {
    lasts.push(request.headers["last-event-id"] as string | undefined);
    response.writeHead(200, { "content-type": "text/event-stream", "x-last-event-id": "41" });
    if (connection === 1) setTimeout(() => response.destroy(), 10);
    else response.write(event(42));
    response.flushHeaders();
  });
  const heard = listen(url);
  await vi.waitFor(() => expect(heard.ids).toEqual([42]));
  expect(lasts).toEqual([undefined, "41"]);
});

test("half an event and half a letter wait for their other half", async () => {
  const bytes = Buffer.from(event(1, '{"text":"슈퍼맨 🦸"}'));
  const url = await serve((_connection, _request, response) => {
    begin(response);
    const cut = bytes.indexOf(Buffer.from("퍼")) + 1;
    response.write(bytes.subarray(0, cut));
    setTimeout(() => response.write(bytes.subarray(cut)), 15);
  });
  const heard = listen(url);
  await vi.waitFor(() => expect(heard.data).toEqual(['{"text":"슈퍼맨 🦸"}']));
});

test("pings are a sign of life but no events; silence is a stall, and the stream is opened again", async () => {
  let pings: NodeJS.Timeout | undefined;
  const url = await serve((connection, _request, response) => {
    begin(response);
    response.write(event(connection));
    if (connection === 1) {
      pings = setInterval(() => response.write(": ping\n\n"), 20);
      setTimeout(() => clearInterval(pings), 200); // then nothing more
    }
  });
  const began = Date.now();
  const heard = listen(url, { stallMs: 120 });
  await vi.waitFor(() => expect(heard.ids).toEqual([1, 2]), { timeout: 2000 });
  expect(Date.now() - began).toBeGreaterThan(250);
  clearInterval(pings);
});

test("no session: it closes with the reason and does not ask again", async () => {
  let asked = 0;
  const url = await serve((_connection, _request, response) => {
    asked += 1;
    response.writeHead(401, { "content-type": "application/json" });
    response.end(JSON.stringify({ error: { code: "unauthorized", message: "no token", remedy: "log in" } }));
  });
  const heard = listen(url);
  await vi.waitFor(() => expect(heard.states).toEqual(["connecting", "closed"]));
  expect(heard.errors.at(-1)).toMatchObject({ code: "unauthorized", status: 401, remedy: "log in" });
  await new Promise((resolve) => setTimeout(resolve, 40));
  expect(asked).toBe(1);
});

test("a server that is away is asked again, with the reason told, until it is back", async () => {
  const url = await serve((connection, _request, response) => {
    if (connection < 3) {
      response.writeHead(503, { "content-type": "text/html" });
      response.end("<h1>proxy</h1>");
    } else begin(response).write(event(9));
  });
  const heard = listen(url);
  await vi.waitFor(() => expect(heard.ids).toEqual([9]));
  expect(heard.errors.filter(Boolean).map((error) => error?.status)).toEqual([503, 503]);
});

test("reconnect() does not wait for the pause to end", async () => {
  const url = await serve((connection, _request, response) => {
    if (connection === 1) response.destroy();
    else begin(response).write(event(1));
  });
  const heard = listen(url, { backoffMs: [60_000] });
  await vi.waitFor(() => expect(heard.states.at(-1)).toBe("waiting"));
  source?.reconnect();
  await vi.waitFor(() => expect(heard.ids).toEqual([1]));
});

test("stop and start again leave one connection alive", async () => {
  let open = 0;
  const url = await serve((connection, _request, response) => {
    open += 1;
    response.on("close", () => {
      open -= 1;
    });
    begin(response).write(event(connection));
  });
  listen(url);
  source?.stop();
  source?.start();
  await vi.waitFor(() => expect(open).toBe(1));
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(open).toBe(1);
});

test("a run's own stream ends when the run has ended", async () => {
  let asked = 0;
  const url = await serve((_connection, _request, response) => {
    asked += 1;
    begin(response);
    response.end(event(1));
  });
  const heard = listen(url, { isOver: () => true });
  await vi.waitFor(() => expect(heard.states.at(-1)).toBe("closed"));
  expect(asked).toBe(1);
  expect(heard.ids).toEqual([1]);
});

test("a preview without an id is handed on, and is no place to resume from", async () => {
  const lasts: (string | undefined)[] = [];
  const url = await serve((connection, request, response) => {
    lasts.push(request.headers["last-event-id"] as string | undefined);
    begin(response);
    if (connection === 1) {
      response.write(`${event(4)}event: preview\ndata: {"step":1}\n\n`);
      setTimeout(() => response.destroy(), 20);
    }
  });
  const heard = listen(url);
  await vi.waitFor(() => expect(lasts).toEqual([undefined, "4"]));
  expect(heard.ids).toEqual([4]);
  expect(heard.data).toEqual(['{"n":4}', '{"step":1}']);
});
