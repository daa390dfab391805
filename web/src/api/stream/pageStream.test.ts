/** Who hears what of the page's one stream. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FakeServer, fakeServer } from "@/test/fakeServer";
import type { RunEvent } from "../events";
import { startPageStream, streamOpen, subscribe, subscribeAll, useConnection } from "./pageStream";

let server: FakeServer;
let stop: () => void;

const tokens = (run: string, text: string) => ({
  type: "tokens",
  run,
  attempt: 1,
  lane: 0,
  start: 0,
  ids: [1],
  texts: [text],
  top: null,
});
const say = (data: Record<string, unknown>) => server.say("/api/events", data);
const texts = (events: RunEvent[]) =>
  events.map((event) => (event.type === "tokens" ? event.texts[0] : event.type));

beforeEach(async () => {
  server = fakeServer({});
  stop = startPageStream();
  await streamOpen();
});
afterEach(() => stop());

test("the stream names this page and is opened once", () => {
  const streams = server.asked.filter(({ path }) => path === "/api/events");
  expect(streams).toHaveLength(1);
  expect(streams[0]?.query.get("page")).toMatch(/^[0-9a-f]{20}$/);
  expect(useConnection.getState().state).toBe("open");
});

test("a listener hears its run only, and what came before it was there", async () => {
  say(tokens("early", "a"));
  say(tokens("other", "x"));
  say(tokens("early", "b"));
  await vi.waitFor(() => {
    const heard: RunEvent[] = [];
    subscribe("early", (event) => heard.push(event))();
    expect(texts(heard)).toEqual(["a", "b"]);
  });
  const heard: RunEvent[] = [];
  const leave = subscribe("early", (event) => heard.push(event));
  say(tokens("early", "c"));
  await vi.waitFor(() => expect(texts(heard)).toEqual(["a", "b", "c"]));
  leave();
  say(tokens("early", "d"));
  say(tokens("other", "y"));
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(texts(heard)).toEqual(["a", "b", "c"]);
});

test("who listens to everything hears every run", async () => {
  const heard: string[] = [];
  const leave = subscribeAll((event) => heard.push(event.run));
  say(tokens("r1", "a"));
  say(tokens("r2", "b"));
  await vi.waitFor(() => expect(heard).toEqual(["r1", "r2"]));
  leave();
});

test("back on the network: the stream is opened again from the last id", async () => {
  const id = say(tokens("r3", "a"));
  const heard: RunEvent[] = [];
  subscribe("r3", (event) => heard.push(event));
  await vi.waitFor(() => expect(heard).toHaveLength(1));
  window.dispatchEvent(new Event("online"));
  await vi.waitFor(() => expect(server.asked.filter(({ path }) => path === "/api/events")).toHaveLength(2));
  expect(server.asked.at(-1)?.headers.get("last-event-id")).toBe(String(id));
});
