/** The whole page by role: signing in, choosing a model, the frame, and the jobs; each screen clean for axe. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { violations } from "@/test/axe";
import { card, run } from "@/test/data";
import { answer, type FakeServer, fakeServer, refusal } from "@/test/fakeServer";

vi.mock("@/features/create/CreatePage", () => ({
  default: ({ run }: { run: string | null }) => <h1>Create {run}</h1>,
}));

const session = { version: "0.1.0", public_url: null, languages: ["ko", "en"], token_limit_bytes: 1_048_576 };
const gpt2 = card({
  id: "gpt2",
  name: "gpt2",
  family: "gpt",
  ready: false,
  starter: false,
  download_size: 548_000_000,
});
const big = card({
  id: "big",
  name: "Big",
  starter: false,
  fits: false,
  reason: {
    code: "out_of_memory",
    message: "Big needs 140 GB",
    remedy: "choose a smaller one",
    field: null,
    value: null,
    params: {},
  },
});

let server: FakeServer;
const user = userEvent.setup();

beforeEach(() => {
  vi.resetModules();
  server = fakeServer({
    "GET /api/session": () => session,
    "GET /api/models": () => ({ items: [gpt2, big, card()] }),
    "GET /api/runs": ({ query }) => {
      const items = [run({ id: "01b", recipe: { mlp: 0.9 } }), run({ id: "01a" })].filter(
        ({ state, name }) => (query.get("state") ?? state) === state && name.includes(query.get("q") ?? ""),
      );
      return { items, next: null, total: items.length };
    },
    "GET /api/runs/01a": () => run({ id: "01a" }),
    "GET /api/runs/01b": () => run({ id: "01b", recipe: { mlp: 0.9 } }),
  });
});
afterEach(() => vi.unstubAllGlobals());

/** A fresh page at an address, as a browser opens it. */
async function open(address: string) {
  window.history.replaceState(null, "", address);
  const { setLanguage } = await import("@/shared/i18n/i18n");
  setLanguage("en");
  await import("@/features/session/urlToken");
  const { App } = await import("./App");
  render(<App />);
}

test("no session: the page asks for the token, says where it is, and lets in who has it", async () => {
  let inside = false;
  server.on("GET /api/session", () => (inside ? session : refusal(401, "unauthorized", "no token")));
  server.on("POST /api/login", ({ body }) => {
    if ((body as { token: string }).token !== "right") return refusal(401, "unauthorized", "wrong token");
    inside = true;
    return answer(204, null);
  });
  await open("/models");
  const field = await screen.findByLabelText("Token");
  expect(screen.getByText(/imfine\/token/)).toBeInTheDocument();
  expect(await violations()).toEqual([]);
  await user.type(field, "wrong{Enter}");
  expect(await screen.findByRole("alert")).toHaveTextContent("wrong");
  await user.clear(field);
  await user.type(field, "right{Enter}");
  expect(await screen.findByRole("heading", { name: "Models", level: 1 })).toBeInTheDocument();
});

test("a token in the address signs in and leaves the address", async () => {
  server.on("POST /api/login", () => answer(204, null));
  await open("/models?token=once");
  expect(await screen.findByRole("heading", { name: "Models", level: 1 })).toBeInTheDocument();
  expect(window.location.search).not.toContain("token");
  expect(server.asked.find(({ path }) => path === "/api/login")?.body).toEqual({ token: "once" });
});

test("the server is away: said so, and tried again", async () => {
  server.on("GET /api/session", () => {
    throw new TypeError("fetch failed");
  });
  await open("/models");
  expect(await screen.findByRole("alert")).toHaveTextContent("does not answer");
  server.on("GET /api/session", () => session);
  await user.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByRole("heading", { name: "Models", level: 1 })).toBeInTheDocument();
});

test("first time: ready models first, and one press leads to Create", async () => {
  await open("/");
  const start = await screen.findByRole("button", { name: /Start with this model: SmolLM2-135M/ });
  const families = screen.getAllByRole("heading", { level: 2 }).map((heading) => heading.textContent);
  expect(families.slice(0, 3)).toEqual(["LLAMA", "GPT", "Stable Diffusion"]);
  const diffusion = screen.getByRole("region", { name: "Stable Diffusion" });
  expect(within(diffusion).getByRole("button")).toHaveTextContent("Look at stable-diffusion-v1-5");
  expect(screen.getByRole("region", { name: "LLAMA" })).toHaveTextContent("269 MB");
  expect(screen.getByRole("region", { name: "GPT" })).toHaveTextContent("548 MB, once");
  expect(await violations()).toEqual([]);
  await user.click(start);
  expect(await screen.findByRole("heading", { name: /Create/ })).toBeInTheDocument();
  expect(screen.getByRole("button", { name: /Model: SmolLM2-135M.*ready/ })).toBeInTheDocument();
});

test("a model that cannot be used says why at once", async () => {
  server.on("GET /api/models/x/bin-only", () => ({
    card: card({
      id: "x/bin-only",
      name: "bin-only",
      reason: { ...big.reason, code: "model_refused", message: "only pickled weights" } as never,
    }),
    layout: null,
    tensors: null,
    deltas: [],
    methods: [],
    parent: null,
  }));
  await open("/models");
  await user.type(await screen.findByLabelText("Hugging Face id or a folder"), "x/bin-only{Enter}");
  expect(await screen.findByText("only pickled weights")).toBeInTheDocument();
  expect(screen.queryByRole("button", { name: /bin-only/ })).toBeNull();
  await user.clear(screen.getByLabelText("Hugging Face id or a folder"));
  await user.type(screen.getByLabelText("Hugging Face id or a folder"), "no/such{Enter}");
  expect(await screen.findByText(/^no GET .*such$/)).toBeInTheDocument();
});

test("⌘K finds by a few letters and goes there; ? lists the keys", async () => {
  await open("/models");
  await screen.findByRole("heading", { name: "Models", level: 1 });
  await user.keyboard("{Control>}k{/Control}");
  const box = await screen.findByRole("combobox");
  await user.type(box, "jobs");
  expect(screen.getAllByRole("option")[0]).toHaveTextContent("Jobs");
  expect(await violations()).toEqual([]);
  await user.keyboard("{Enter}");
  expect(await screen.findByRole("heading", { name: "Jobs", level: 1 })).toBeInTheDocument();
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  await user.keyboard("?");
  expect(await screen.findByRole("dialog", { name: "Keyboard shortcuts" })).toHaveTextContent("Ctrl");
});

test("the other language changes every word", async () => {
  await open("/models");
  await screen.findByRole("heading", { name: "Models", level: 1 });
  await user.click(screen.getByRole("button", { name: /Language/ }));
  await user.click(await screen.findByRole("menuitem", { name: "한국어" }));
  expect(await screen.findByRole("heading", { name: "모델", level: 1 })).toBeInTheDocument();
  expect(screen.getByRole("link", { name: "작업" })).toBeInTheDocument();
});

test("jobs: listed, searched, opened; the address keeps it", async () => {
  await open("/jobs");
  const rows = await within(await screen.findByRole("list", { name: /newest first/ })).findAllByRole(
    "button",
  );
  expect(rows).toHaveLength(2);
  expect(rows[0]).toHaveTextContent("MLP 0.9");
  expect(await violations()).toEqual([]);
  await user.type(screen.getByRole("searchbox"), "01a");
  await waitFor(() => expect(screen.getByText("1 run")).toBeInTheDocument());
  expect(window.location.search).toContain("q=");
  await user.click(screen.getByRole("button", { name: /01a/ }));
  const drawer = await screen.findByRole("dialog", { name: /quick-otter-01a/ });
  expect(await within(drawer).findByText("A great goal.")).toBeInTheDocument();
  expect(within(drawer).getByText(/temperature 0.7/)).toBeInTheDocument();
  expect(within(drawer).getByText(/verified unchanged/)).toBeInTheDocument();
  expect(await violations()).toEqual([]);
  await user.click(within(drawer).getByRole("button", { name: "Open in Create" }));
  expect(await screen.findByRole("heading", { name: "Create 01a" })).toBeInTheDocument();
});

test("jobs: a pinned baseline is compared with the next run that is opened", async () => {
  await open("/jobs?base=01a&run=01b");
  const comparison = await screen.findByRole("region", { name: "Compared with quick-otter-01a" });
  expect(comparison).toHaveTextContent("differ from token 3");
  expect(within(comparison).getByText("01b", { selector: "ins" })).toBeInTheDocument();
});

test("jobs: run again says whether it is identical, and what both were computed with", async () => {
  const first = run({ id: "01a" });
  const again = run({ id: "01d", result: structuredClone(first.result) });
  server.on("POST /api/runs/01a/again", () => again);
  server.on("GET /api/runs/01d", () => again);
  await open("/jobs?run=01a");
  const drawer = await screen.findByRole("dialog", { name: /quick-otter-01a/ });
  expect(
    await within(drawer).findByText("imfine 0.1.0 · torch 2.9.0 · transformers 5.0.0"),
  ).toBeInTheDocument();
  await user.click(within(drawer).getByRole("button", { name: "Run again" }));
  const alike = await screen.findByRole("region", { name: "Compared with quick-otter-01a" });
  expect(alike).toHaveTextContent("Identical");
  expect(alike).toHaveTextContent("the same dtype, device, threads, versions and weights");
  expect(within(alike).getByRole("row", { name: "Threads 2 2" })).toBeInTheDocument();
  expect(await violations()).toEqual([]);
});

test("jobs: a run that came out otherwise names what was not the same", async () => {
  const first = run({ id: "01a" });
  const again = run({ id: "01d", result: structuredClone(first.result) });
  if (!again.result) throw new Error("a run that is done has a result");
  again.result.dtype = "bfloat16";
  again.result.versions = { torch: "2.8.0", transformers: "5.0.0", imfine: "0.1.0" };
  again.result.lanes[0]?.token_ids.push(99);
  server.on("GET /api/runs/01d", () => again);
  await open("/jobs?run=01d&base=01a");
  const other = await screen.findByRole("region", { name: "Compared with quick-otter-01a" });
  await waitFor(() => expect(other).toHaveTextContent(/Original: the answers differ from token \d/));
  expect(other).toHaveTextContent("Not the same in both: dtype, Threads, torch.");
  expect(within(other).getByRole("row", { name: "Threads 2 not told" })).toBeInTheDocument();
});

test("jobs: a run that waits can be cancelled, and the list follows the stream", async () => {
  const waiting = run({
    id: "01c",
    state: "queued",
    result: null,
    position: 2,
    started_at: null,
    finished_at: null,
  });
  server.on("GET /api/runs", ({ query }) => {
    const items = (query.get("state") ?? "queued") === "queued" ? [waiting] : [];
    return { items, next: null, total: items.length };
  });
  server.on("GET /api/runs/01c", () => waiting);
  server.on("POST /api/runs/01c/cancel", () => ({ ...waiting, state: "cancelled" }));
  await open("/jobs?run=01c");
  const drawer = await screen.findByRole("dialog");
  await user.click(await within(drawer).findByRole("button", { name: "Cancel" }));
  expect(await within(drawer).findByRole("button", { name: "Run again" })).toBeInTheDocument();
  await user.click(within(drawer).getByRole("button", { name: "Close" }));
  server.say("/api/events", {
    type: "state",
    run: "01c",
    attempt: 0,
    state: "cancelled",
    kind: "generate",
    name: "n",
    model: "m",
    page: null,
    position: null,
    worker: null,
    error: null,
  });
  const list = await screen.findByRole("list", { name: /newest first/ });
  await waitFor(() => expect(list).toHaveTextContent("Cancelled"));
});

test("jobs: a run that trains is told by its course, and opens in Train", async () => {
  const training = {
    ...run({ id: "01e", state: "failed" }),
    kind: "train",
    recipe: {},
    prompt: "captain.jsonl",
    resumable: null,
    request: {
      kind: "train",
      model: "smollm2-135m",
      revision: null,
      name: "captain",
      dataset: "d",
      plan: {},
    },
    result: null,
  };
  server.on("GET /api/runs", () => ({ items: [training], next: null, total: 1 }));
  server.on("GET /api/runs/01e", () => training);
  await open("/jobs?run=01e");
  expect(await screen.findByRole("list", { name: /newest first/ })).toHaveTextContent("Training");
  const drawer = await screen.findByRole("dialog");
  expect(within(drawer).queryByRole("button", { name: "Run again" })).not.toBeInTheDocument();
  await user.click(within(drawer).getByRole("button", { name: "Open in Train" }));
  await waitFor(() => expect(window.location.pathname + window.location.search).toBe("/train?run=01e"));
});

test("jobs: a knob that was learned is told by its phrases, and opens in Train", async () => {
  const learning = {
    ...run({ id: "01f", state: "running" }),
    kind: "learn",
    name: "smile",
    recipe: {},
    prompt: "smiling face ↔ crying face",
    request: { kind: "learn", model: "emoji", revision: null, name: "smile", slider: {}, label: null },
    result: null,
  };
  server.on("GET /api/runs", () => ({ items: [learning], next: null, total: 1 }));
  server.on("GET /api/runs/01f", () => learning);
  await open("/jobs?run=01f");
  const list = await screen.findByRole("list", { name: /newest first/ });
  expect(list).toHaveTextContent(/smiling face ↔ crying face.*smile.*Learned knob/);
  const drawer = await screen.findByRole("dialog");
  expect(within(drawer).getByRole("button", { name: "Cancel" })).toBeInTheDocument();
  await user.click(within(drawer).getByRole("button", { name: "Open in Train" }));
  await waitFor(() => expect(window.location.pathname + window.location.search).toBe("/train?run=01f"));
});

test("jobs: nothing yet, nothing found, and a failure that says so", async () => {
  server.on("GET /api/runs", () => ({ items: [], next: null, total: 0 }));
  await open("/jobs");
  expect(await screen.findByRole("heading", { name: "Nothing has run yet" })).toBeInTheDocument();
  await user.click(screen.getByRole("button", { name: "Failed" }));
  expect(await screen.findByRole("heading", { name: "No run matches" })).toBeInTheDocument();
  server.on("GET /api/runs", () => refusal(500, "internal", "the disk is full"));
  await user.click(screen.getByRole("button", { name: "Running" }));
  expect(await screen.findByRole("alert")).toHaveTextContent("the disk is full");
});

test("an address that leads nowhere leads back", async () => {
  await open("/nowhere");
  expect(await screen.findByRole("link", { name: "To Create" })).toBeInTheDocument();
});
