import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startPageStream } from "@/api/stream/pageStream";
import { setLanguage } from "@/shared/i18n/i18n";
import { useChosenModel } from "@/shared/store/model";
import { eventText } from "@/test/fakeServer";
import CreatePage from "./CreatePage";
import { useDraft } from "./logic/draft";
import { EMPTY } from "./logic/lanes";
import { useVariants } from "./logic/variants";
import { useView } from "./logic/view";
import { stop, useLanes } from "./studio";

const card = {
  id: "starter",
  name: "Starter",
  family: "llama",
  architecture: "LlamaForCausalLM",
  source: "starter",
  path: null,
  ready: true,
  parameters: 1,
  size_on_disk: 1,
  download_size: null,
  memory_needed: 1,
  fits: true,
  reason: null,
  licence: null,
  languages: ["en"],
  layers: 4,
  context_length: 128,
  gated: false,
  starter: true,
};
const layout = {
  family: "llama",
  architecture: "LlamaForCausalLM",
  layers: 4,
  heads: 4,
  kv_heads: 2,
  head_dim: 8,
  hidden_size: 32,
  eps: 1e-5,
  points: ["q", "k", "v", "o", "gate", "up", "down", "norm"],
  qk_norm: false,
  context_length: 128,
  gain_max: 4,
  eps_knob_max: 5,
  classic_min: 0.1,
  classic_max: 2,
};
const deltas = [
  {
    id: "pirate",
    kind: "trained",
    method: "lora",
    parts: ["attn", "mlp"],
    tensors: 28,
    size: 1000,
    low: 0,
    high: 2,
    label: null,
  },
];
const manifest = {
  tensors: [{ name: "layers.0.q_proj.weight", part: "q", factor: 1.05, factors: null }],
  touched: 12,
  total: 40,
  parameters: 10,
  share: 0.382,
  eps: [],
};

let served = 0; // the page's stream keeps runs it has heard of: every test has its own

/** A server on the page's side of fetch: what was posted, and a stream to speak on. */
function serve() {
  const server = ++served;
  const run = (n: number) => `run${server}.${n}`;
  const posted: Record<string, unknown>[] = [];
  const cancelled: string[] = [];
  let layoutIsHere: Promise<void> = Promise.resolve();
  let speak: (event: Record<string, unknown>) => void = () => {};
  let refuse: Record<string, unknown> | null = null;
  const json = (value: unknown, status = 200) =>
    new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json" } });
  vi.stubGlobal("fetch", async (input: Request | string) => {
    const request = input instanceof Request ? input : null;
    const { pathname } = new URL(request?.url ?? String(input), window.location.origin);
    if (pathname === "/api/events") {
      const encoder = new TextEncoder();
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          speak = (event) => controller.enqueue(encoder.encode(eventText(event)));
        },
      });
      return new Response(stream, { headers: { "content-type": "text/event-stream" } });
    }
    if (pathname.endsWith("/cancel")) {
      cancelled.push(pathname.split("/")[3] ?? "");
      return json({});
    }
    if (pathname === "/api/runs") {
      if (refuse) return json({ error: refuse }, 422);
      posted.push(await request?.json());
      return json({ id: run(posted.length) }, 202);
    }
    if (pathname === "/api/manifest") return json(manifest);
    if (pathname === "/api/models") return json({ items: [card] });
    if (pathname.startsWith("/api/models/")) {
      await layoutIsHere;
      const trained = pathname === "/api/models/pirate";
      return json({
        card,
        layout,
        tensors: 40,
        deltas: trained ? [] : deltas,
        parent: trained ? "starter" : null,
      });
    }
    if (pathname === "/api/session")
      return json({ version: "1", public_url: null, languages: [], token_limit_bytes: 1 });
    throw new Error(`no such route: ${pathname}`);
  });
  return {
    posted,
    cancelled,
    refuse: (error: Record<string, unknown>) => {
      refuse = error;
    },
    holdLayout: () => {
      let release = () => {};
      layoutIsHere = new Promise((resolve) => {
        release = resolve;
      });
      return release;
    },
    run,
    say: (n: number, event: Record<string, unknown>, attempt = 1) =>
      act(async () => {
        speak({ run: run(n), attempt, ...event });
        await new Promise((resolve) => setTimeout(resolve, 5));
      }),
  };
}

const tokens = (lane: number, start: number, texts: string[]) => ({
  type: "tokens",
  lane,
  start,
  ids: texts.map((text) => text.length * 1000 + text.charCodeAt(text.length - 1)),
  texts,
  top: texts.map((text) => [
    { id: text.length * 1000 + text.charCodeAt(text.length - 1), text, p: 0.41 },
    { id: 1, text: " other", p: 0.2 },
  ]),
});

let stopStream: () => void = () => {};

function show(run: string | null = null) {
  stopStream = startPageStream();
  const client = new QueryClient({ defaultOptions: { queries: { retry: false } } });
  return render(
    <QueryClientProvider client={client}>
      <MantineProvider>
        <CreatePage run={run} />
      </MantineProvider>
    </QueryClientProvider>,
  );
}

beforeEach(() => {
  setLanguage("en");
  useChosenModel.setState({ id: "starter" });
  useDraft.setState({ ...useDraft.getInitialState(), prompt: "Hello" }, true);
  useDraft.temporal.getState().clear();
  useVariants.setState({ items: [] });
  useLanes.setState(EMPTY, true);
});
afterEach(() => {
  stop();
  stopStream();
  vi.unstubAllGlobals();
});

async function ready() {
  await screen.findByRole("button", { name: /Equalizer/ }); // the layout is here: moves are heard
}
const lane = (name: "Original" | "Tuned") => screen.getByRole("region", { name });

describe("the page", () => {
  it("asks as soon as a slider moves, and shows both answers and what changed", async () => {
    const server = serve();
    show();
    await ready();
    const slider = screen.getByRole("slider", { name: "ATTN" });
    fireEvent.keyDown(slider, { key: "ArrowRight" });
    await waitFor(() => expect(server.posted).toHaveLength(1));
    expect(server.posted[0]).toMatchObject({
      kind: "generate",
      model: "starter",
      prompt: "Hello",
      recipe: { attn: 1.05 },
      lanes: ["base", "tuned"],
      top: 5,
      sampling: { greedy: true, max_new_tokens: 64 },
    });
    await server.say(1, tokens(0, 0, ["A", " great", " goal"]));
    await server.say(1, tokens(1, 0, ["A", " surreal"]));
    expect(lane("Original")).toHaveTextContent("A great goal");
    expect(within(lane("Tuned")).getByText("surreal").closest("mark")).not.toBeNull();
    expect(screen.getAllByText("First change at token 2").length).toBeGreaterThan(0);
  });

  it("keeps a question that is asked before the model's layout is here", async () => {
    const user = userEvent.setup();
    const server = serve();
    const release = server.holdLayout();
    show();
    await user.click(screen.getByRole("button", { name: "Answer" }));
    await screen.findByRole("button", { name: "Stop" });
    expect(server.posted).toHaveLength(0);
    release();
    await waitFor(() => expect(server.posted).toHaveLength(1));
    expect(server.posted[0]).toMatchObject({ model: "starter", prompt: "Hello" });
  });

  it("lets the latest move win in the place of the one before", async () => {
    const server = serve();
    show();
    await ready();
    const slider = screen.getByRole("slider", { name: "ATTN" });
    fireEvent.keyDown(slider, { key: "ArrowRight" });
    await waitFor(() => expect(server.posted).toHaveLength(1));
    await server.say(1, tokens(1, 0, ["old"]));
    fireEvent.keyDown(slider, { key: "ArrowRight" });
    await waitFor(() => expect(server.posted).toHaveLength(2));
    expect(server.posted[1]).toMatchObject({ replaces: server.run(1) });
    expect(lane("Tuned")).toHaveTextContent("old"); // no flicker: it stays until the first new token
    await server.say(1, tokens(1, 1, [" late"]));
    await server.say(2, tokens(1, 0, ["new"]));
    expect(lane("Tuned")).toHaveTextContent("new");
    expect(lane("Tuned")).not.toHaveTextContent("late");
  });

  it("shows a failure where it happened, with its remedy, and tries again", async () => {
    const user = userEvent.setup();
    const server = serve();
    show();
    await ready();
    await user.click(screen.getByRole("button", { name: "Answer" }));
    await waitFor(() => expect(server.posted).toHaveLength(1));
    await server.say(1, {
      type: "state",
      state: "failed",
      error: {
        code: "out_of_memory",
        message: "needs 8 GB",
        remedy: "choose a smaller model",
        field: null,
        value: null,
        params: {},
      },
    });
    expect(screen.getByRole("alert")).toHaveTextContent("choose a smaller model");
    await user.click(screen.getByRole("button", { name: "Try again" }));
    await waitFor(() => expect(server.posted).toHaveLength(2));
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();
  });

  it("shows the two models' likeliest tokens at a place, by keyboard too", async () => {
    const user = userEvent.setup();
    const server = serve();
    show();
    await ready();
    await user.click(screen.getByRole("button", { name: "Answer" }));
    await waitFor(() => expect(server.posted).toHaveLength(1));
    await server.say(1, tokens(0, 0, ["A", " great"]));
    await server.say(1, tokens(1, 0, ["A", " surreal"]));
    await user.click(within(lane("Tuned")).getByText("surreal"));
    const panel = screen.getByRole("region", { name: "Token 2" });
    expect(within(panel).getAllByText("0.410")).toHaveLength(2);
    within(lane("Original")).getByRole("group").focus();
    await user.keyboard("{ArrowLeft}");
    expect(screen.getByRole("region", { name: "Token 1" })).toBeInTheDocument();
  });

  it("runs on Ctrl+Enter, but not on an input method's own Enter", async () => {
    const server = serve();
    show();
    await ready();
    const prompt = screen.getByRole("textbox", { name: "Prompt" });
    fireEvent.keyDown(prompt, { key: "Enter", ctrlKey: true, isComposing: true });
    fireEvent.keyDown(prompt, { key: "Enter", ctrlKey: true, keyCode: 229 });
    fireEvent.keyDown(prompt, { key: "Enter" });
    expect(server.posted).toHaveLength(0);
    fireEvent.keyDown(prompt, { key: "Enter", ctrlKey: true });
    await waitFor(() => expect(server.posted).toHaveLength(1));
  });

  it("keeps a finished recipe in the filmstrip, and a click brings it back without asking", async () => {
    const user = userEvent.setup();
    const server = serve();
    show();
    await ready();
    const finish = async (run: number, text: string) => {
      await server.say(run, tokens(0, 0, ["base"]));
      await server.say(run, tokens(1, 0, [text]));
      await server.say(run, { type: "state", state: "succeeded" });
    };
    const slider = screen.getByRole("slider", { name: "ATTN" });
    fireEvent.keyDown(slider, { key: "ArrowRight" });
    await waitFor(() => expect(server.posted).toHaveLength(1));
    await finish(1, "first");
    fireEvent.keyDown(slider, { key: "ArrowRight" });
    await waitFor(() => expect(server.posted).toHaveLength(2));
    await finish(2, "second");
    await user.click(screen.getByRole("button", { name: /ATTN 1.05/ }));
    expect(slider).toHaveAttribute("aria-valuenow", "1.05");
    expect(lane("Tuned")).toHaveTextContent("first");
    expect(server.posted).toHaveLength(2);
  });

  it("shows the original while \\ is held", async () => {
    const server = serve();
    show();
    await ready();
    fireEvent.keyDown(screen.getByRole("slider", { name: "MLP" }), { key: "ArrowRight" });
    await waitFor(() => expect(server.posted).toHaveLength(1));
    await server.say(1, tokens(0, 0, ["base words"]));
    await server.say(1, tokens(1, 0, ["tuned words"]));
    fireEvent.keyDown(window, { key: "\\", code: "Backslash" });
    expect(screen.getByRole("region", { name: /you see the original/ })).toHaveTextContent("base words");
    fireEvent.keyUp(window, { key: "\\", code: "Backslash" });
    expect(lane("Tuned")).toHaveTextContent("tuned words");
  });

  it("says how much of the model a recipe touches", async () => {
    serve();
    show();
    await ready();
    fireEvent.keyDown(screen.getByRole("slider", { name: "ATTN" }), { key: "ArrowRight" });
    expect(await screen.findByText(/of 40 tensors/)).toHaveTextContent(
      "Adjusts 12 of 40 tensors · 38.2% of the parameters",
    );
  });

  it("turns bands by keyboard and as numbers", async () => {
    const user = userEvent.setup();
    serve();
    show();
    await ready();
    await user.click(screen.getByRole("button", { name: /Equalizer/ }));
    const band = screen.getByRole("slider", { name: "ATTN band, Layer 0" });
    fireEvent.keyDown(band, { key: "ArrowRight" });
    fireEvent.keyDown(band, { key: "ArrowUp" });
    expect(useDraft.getState().recipe.bands.attn).toEqual([1, 1.05, 1, 1]);
    await user.click(screen.getByRole("button", { name: "Numbers" }));
    const cell = screen.getByRole("textbox", { name: "MLP, layer 3" });
    await user.clear(cell);
    await user.type(cell, "0.5{Enter}");
    expect(useDraft.getState().recipe.bands.mlp).toEqual([1, 1, 1, 0.5]);
  });

  it("has no axe violations, in both languages", async () => {
    const server = serve();
    const { container } = show();
    await ready();
    fireEvent.keyDown(screen.getByRole("slider", { name: "ATTN" }), { key: "ArrowRight" });
    await waitFor(() => expect(server.posted).toHaveLength(1));
    await server.say(1, tokens(1, 0, ["tuned"]));
    for (const language of ["en", "ko"] as const) {
      act(() => setLanguage(language));
      const { violations } = await axe.run(container, {
        rules: { "color-contrast": { enabled: false }, region: { enabled: false } },
      });
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
    }
  });
});

it("a delta is laid out, turned, drawn layer by layer, taken away and undone", async () => {
  const server = serve();
  const user = userEvent.setup();
  show();
  await ready();
  await user.click(screen.getByRole("button", { name: "Add a delta" }));
  await user.click(await screen.findByRole("menuitem", { name: /pirate.*trained here · LoRA · 28 tensors/ }));
  const knob = await screen.findByRole("slider", { name: "pirate" });
  expect(knob).toHaveAttribute("aria-valuetext", "1.00, all the way");
  expect(knob).toHaveAttribute("aria-valuemax", "2");
  await waitFor(() => expect(server.posted.at(-1)?.recipe).toEqual({ deltas: { pirate: 1 } }));
  fireEvent.keyDown(knob, { key: "PageDown" });
  fireEvent.keyUp(knob, { key: "PageDown" });
  await waitFor(() => expect(server.posted.at(-1)?.recipe).toEqual({ deltas: { pirate: 0.75 } }));
  act(() => useView.getState().set({ equalizer: true, table: false })); // as it was left is remembered
  await user.click(screen.getByRole("button", { name: "pirate" }));
  const band = screen.getByRole("slider", { name: "MLP band, Layer 0" });
  fireEvent.keyDown(band, { key: "Home", code: "Home" });
  fireEvent.keyDown(band, { key: "PageDown" });
  fireEvent.keyUp(band, { key: "PageDown" });
  await waitFor(() =>
    expect(server.posted.at(-1)?.recipe).toEqual({
      deltas: { pirate: { strength: 0.75, bands: { mlp: [0.75, 1, 1, 1] } } },
    }),
  );
  await user.click(screen.getByRole("button", { name: "Take pirate away" }));
  expect(screen.queryByRole("slider", { name: "pirate" })).toBeNull();
  await user.click(screen.getByRole("button", { name: "Undo" }));
  expect(await screen.findByRole("slider", { name: "pirate" })).toHaveAttribute("aria-valuenow", "0.75");
});

it("the slider kept at hand where the knobs are scrolled away is the last touched, a delta too", async () => {
  let scrolledAway = () => {};
  vi.stubGlobal(
    "IntersectionObserver",
    class {
      constructor(told: (entries: unknown[]) => void) {
        scrolledAway = () => told([{ isIntersecting: false, boundingClientRect: { top: -500 } }]);
      }
      observe() {}
      disconnect() {}
    },
  );
  serve();
  const user = userEvent.setup();
  show();
  await ready();
  act(() => scrolledAway());
  const atHand = () => within(screen.getByRole("region", { name: "Last touched" })).getByRole("slider");
  expect(atHand()).toHaveAccessibleName("ATTN");
  await user.click(screen.getByRole("button", { name: "Add a delta" }));
  await user.click(await screen.findByRole("menuitem", { name: /pirate/ }));
  expect(atHand()).toHaveAccessibleName("pirate");
  const [knob] = screen.getAllByRole("slider", { name: "MLP" });
  if (knob) fireEvent.keyDown(knob, { key: "PageUp" });
  expect(atHand()).toHaveAccessibleName("MLP");
  const [delta] = screen.getAllByRole("slider", { name: "pirate" });
  if (delta) fireEvent.keyDown(delta, { key: "PageDown" });
  expect(atHand()).toHaveAccessibleName("pirate");
  await user.click(screen.getByRole("button", { name: "Take pirate away" }));
  expect(atHand()).toHaveAccessibleName("MLP");
});

it("a trained model is compared with its original: its parent, and it as the delta", async () => {
  const server = serve();
  const user = userEvent.setup();
  useChosenModel.setState({ id: "pirate" });
  show();
  await ready();
  await user.click(await screen.findByRole("button", { name: "Compare with its original" }));
  expect(useChosenModel.getState().id).toBe("starter");
  expect(await screen.findByRole("slider", { name: "pirate" })).toHaveAttribute("aria-valuenow", "1");
  await waitFor(() => expect(server.posted.at(-1)).toMatchObject({ model: "starter" }));
  expect(server.posted.at(-1)?.recipe).toEqual({ deltas: { pirate: 1 } });
});
