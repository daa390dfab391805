/** The whole page by role, with a server on its side of the network: from a dropped file to the comparison. */
import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { setLanguage } from "@/shared/i18n/i18n";
import { violations } from "@/test/axe";
import { card } from "@/test/data";
import { answer, type FakeServer, refusal } from "@/test/fakeServer";
import { useDraft } from "./logic/draft";
import { DEFAULT_PLAN } from "./logic/plan";
import { useProbe } from "./probe";
import { type FakeTraining, fakeTraining, show } from "./trainFake";
import { useTraining } from "./training";

const dataset = {
  id: "d".repeat(64),
  name: "captain.jsonl",
  kind: "text",
  format: "prompt_completion",
  rows: 40,
  bytes: 5300,
  columns: { prompt: "question" },
  findings: [
    { code: "duplicates", message: "rows that repeat", params: { count: 2, rows: 40 }, lines: [3, 8] },
  ],
  sizes: null,
  created_at: "2026-11-22T10:00:00.000Z",
};
const preview = {
  rows: [
    {
      pieces: [
        { text: "<user>Ahoy?", trained: false },
        { text: "Arr!", trained: true },
      ],
    },
  ],
  tokens: { rows: 40, tokens: 2315, trained: 842, longest: 65, length: 512, findings: [] },
  pictures: null,
};
const estimate = {
  trainable: { parameters: 921_600, tensors: 240, all_parameters: 135e6, all_tensors: 272, share: 0.0069 },
  memory: { weights: 5e8, gradients: 4e6, optimizer: 8e6, activations: 3e8, working: 2e8, together: 1e9 },
  have: 8e9,
  device: "cpu",
  fits: true,
  change: null as null | Record<string, unknown>,
  remedy: null,
};

let fake: FakeTraining;
let server: FakeServer;
const user = userEvent.setup();

beforeEach(() => {
  const layout = { kind: "text", layers: 30, context_length: 8192 };
  fake = fakeTraining({ card: card(), layout, dataset, preview, estimate });
  server = fake.server;
});

afterEach(() => {
  fake.end();
  useDraft.setState({ dataset: null, name: null, plan: DEFAULT_PLAN });
});

const say: FakeTraining["say"] = (data) => fake.say(data);
const state = (state: string, more = {}) =>
  say({
    type: "state",
    state,
    kind: "train",
    name: "mine",
    model: "m",
    page: null,
    position: null,
    worker: null,
    error: null,
    ...more,
  });
const steps = (first: number, last: number) => {
  const step = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  say({
    type: "train_steps",
    steps: 20,
    step,
    loss: step.map((n) => 5 - n / 10),
    lr: step.map(() => 2e-4),
    grad_norm: step.map(() => 1),
    tokens: last * 60,
    tokens_per_s: 300,
    epoch: last / 10,
    eta_s: 20 - last,
  });
};

async function give(text = '{"prompt": "a", "completion": "b"}') {
  const field = await screen.findByLabelText("Choose files", { selector: "input" });
  fireEvent.change(field, { target: { files: [new File([text], "captain.jsonl")] } });
}

describe("the Train page", () => {
  it("shows what a file holds, as the model reads it, and what the plan takes", async () => {
    show("smollm2-135m");
    await give();
    expect(await screen.findByText("Arr!", { selector: "mark" })).toBeInTheDocument();
    expect(screen.getByText("<user>Ahoy?").tagName).toBe("SPAN");
    expect(screen.getByText("2,315, 842 of them learned")).toBeInTheDocument();
    expect(screen.getByText(/2 examples repeat others/)).toHaveTextContent("lines 3, 8");
    expect(await screen.findByText(/Needs 1 GB, 8 GB are free: it fits/)).toBeInTheDocument();
    expect(screen.getByText(/Trains 922K new numbers beside the model's 135M \(0.69%\)/)).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Start training" })).toBeEnabled();
    expect(await violations()).toEqual([]);
  });

  it("names what is wrong by line and field, in both languages, and keeps nothing", async () => {
    const errors = [
      { file: null, line: 2, field: "completion", expected: "text", found: "a number" },
      {
        file: null,
        line: 9,
        field: "",
        expected: "a JSON object on each line",
        found: "Expecting value at column 1",
      },
    ];
    fake.upload = {
      status: 422,
      body: {
        error: {
          code: "data",
          message: "line 2",
          remedy: "",
          field: "completion",
          value: "a number",
          params: { reason: "lines", errors, total: 31 },
        },
      },
    };
    show("smollm2-135m");
    await give();
    const told = await screen.findByRole("alert");
    expect(told).toHaveTextContent("31 errors: nothing was taken");
    expect(within(told).getByRole("row", { name: "2 completion text a number" })).toBeInTheDocument();
    expect(told).toHaveTextContent("and 29 more");
    expect(screen.getByRole("button", { name: "Start training" })).toBeDisabled();
    setLanguage("ko");
    expect(await screen.findByRole("row", { name: "2 completion 글 숫자" })).toBeInTheDocument();
    expect(
      screen.getByRole("row", { name: /9 줄 전체 .* 1번째 글자에서: 값이 있어야 해요/ }),
    ).toBeInTheDocument();
    expect(await violations()).toEqual([]);
  });

  it("takes what is dropped anywhere, also in the place of another; several files as one zip", async () => {
    show("smollm2-135m");
    await give();
    await screen.findByText("Arr!");
    const drop = (...files: File[]) =>
      fireEvent.drop(document.body, { dataTransfer: { types: ["Files"], files } });
    expect(drop(new File(["a"], "song-1.txt"), new File(["b"], "song-2.txt"))).toBe(false); // the browser does not leave
    await waitFor(() => expect(fake.sent[1]?.url).toContain("name=song.zip"));
    expect(await screen.findByText("Arr!")).toBeInTheDocument();
    drop(new File(["c"], "c.txt"));
    await waitFor(() => expect(fake.sent[2]?.url).toContain("name=c.txt"));
    expect(await screen.findByText("Arr!")).toBeInTheDocument();
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();
  });

  it("asks which column is which, and sends the file again with it", async () => {
    fake.upload = {
      status: 422,
      body: {
        error: {
          code: "data",
          message: "no column",
          remedy: "",
          field: "columns",
          value: "",
          params: { reason: "columns", columns: ["frage", "antwort"] },
        },
      },
    };
    show("smollm2-135m");
    await give("frage,antwort\n");
    await user.selectOptions(await screen.findByRole("combobox", { name: "The question" }), "frage");
    expect(screen.getByRole("button", { name: "Take these columns" })).toBeDisabled();
    await user.selectOptions(screen.getByRole("combobox", { name: "The answer" }), "antwort");
    fake.upload = { status: 201, body: dataset };
    await user.click(screen.getByRole("button", { name: "Take these columns" }));
    expect(await screen.findByText("Arr!")).toBeInTheDocument();
    expect(new URLSearchParams(fake.sent[1]?.url.split("?")[1]).get("columns")).toBe(
      "prompt=frage,completion=antwort",
    );
  });

  it("has the server fetch a data set of the Hub, and tells how far it is and what is wrong", async () => {
    const encoder = new TextEncoder();
    let line: (step: unknown, end?: boolean) => void = () => {};
    server.on("POST /api/datasets/hub", () => {
      const body = new ReadableStream<Uint8Array>({
        start(controller) {
          line = (step, end) => {
            const bytes = encoder.encode(`${JSON.stringify(step)}\n`);
            controller.enqueue(bytes.slice(0, 9)); // a network cuts where it likes
            controller.enqueue(bytes.slice(9));
            if (end) controller.close();
          };
        },
      });
      return new Response(body, { headers: { "content-type": "application/x-ndjson" } });
    });
    show("smollm2-135m");
    await user.click(await screen.findByText("Or take data from the Hugging Face Hub"));
    const box = screen.getByRole("textbox", { name: "Data set" });
    await user.type(box, "sums{Enter}");
    expect(screen.getByText(/Write it as owner\/name/)).toBeInTheDocument();
    await user.clear(box);
    await user.type(box, "https://huggingface.co/datasets/ann/sums{Enter}");
    expect(await screen.findByText("Asking the Hub for ann/sums…")).toBeInTheDocument();
    const asked = () => server.asked.filter(({ path }) => path === "/api/datasets/hub");
    await waitFor(() => expect(asked()[0]?.body).toEqual({ data: "ann/sums", columns: null }));
    line({ phase: { phase: "downloading", done: 500, total: 2000, unit: "bytes" } });
    expect(await screen.findByText(/Fetching ann\/sums: 500 B of 2/)).toBeInTheDocument();
    const params = { reason: "columns", columns: ["frage", "antwort"] };
    line({ error: { code: "data", message: "which?", remedy: "", field: null, value: null, params } }, true);
    await user.selectOptions(await screen.findByRole("combobox", { name: "The question" }), "frage");
    expect(screen.getByRole("textbox", { name: "Data set" })).toHaveValue("ann/sums");
    await user.selectOptions(screen.getByRole("combobox", { name: "The answer" }), "antwort");
    await user.click(screen.getByRole("button", { name: "Take these columns" }));
    await waitFor(() =>
      expect(asked()[1]?.body).toEqual({ data: "ann/sums", columns: "prompt=frage,completion=antwort" }),
    );
    line({ dataset }, true);
    expect(await screen.findByText("Arr!")).toBeInTheDocument();
  });

  it("sets what a goal says, and offers what would fit at one press", async () => {
    server.on("POST /api/train/estimate", ({ body }) => {
      const { plan } = body as { plan: { batch: number } };
      return plan.batch === 1
        ? estimate
        : { ...estimate, fits: false, have: 5e8, change: { batch: 1, accumulation: 4 } };
    });
    useDraft.setState({ plan: { ...DEFAULT_PLAN, batch: 4 } });
    show("smollm2-135m");
    await give();
    await user.click(await screen.findByRole("radio", { name: /A character/ }));
    expect(useDraft.getState().plan).toMatchObject({ parts: ["attn", "mlp"], rank: 16 });
    expect(screen.getByRole("radio", { name: /^Both/ })).toBeChecked();
    expect(await screen.findByText("1 at once, 4 gathered before a step")).toBeInTheDocument();
    expect(screen.getByText("It does not fit into memory so.")).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "Change it so" }));
    expect(await screen.findByText(/it fits\./)).toBeInTheDocument();
    expect(screen.getByRole("radio", { name: /A character/ })).toBeChecked();
  });

  it("offers QLoRA where a worker can train with it, and nowhere else", async () => {
    show("smollm2-135m");
    expect(await screen.findByRole("radio", { name: /^LoRA/ })).toBeChecked();
    expect(screen.queryByRole("radio", { name: /^QLoRA/ })).toBeNull();
    cleanup();
    const methods = ["full", "lora", "dora", "qlora"];
    server.on("GET /api/models/:id", () => ({
      card: card(),
      layout: { kind: "text", layers: 30, context_length: 8192 },
      methods,
    }));
    show("smollm2-135m");
    await user.click(await screen.findByRole("radio", { name: /^QLoRA/ }));
    expect(useDraft.getState().plan.method).toBe("qlora");
    const told = () => server.asked.filter(({ path }) => path === "/api/train/estimate").at(-1)?.body;
    await waitFor(() => expect(told()).toMatchObject({ plan: { method: "qlora" } }));
  });

  it("measures how long it takes, and says when that was of other settings", async () => {
    show("smollm2-135m");
    await give();
    await user.click(await screen.findByRole("button", { name: "Measure how long it takes" }));
    await waitFor(() => expect(useProbe.getState().run).toBe(fake.latest));
    say({ type: "phase", phase: "loading", done: 0, total: 1, unit: "bytes" });
    expect(await screen.findByText("Loading model and data…")).toBeInTheDocument();
    say({
      type: "probe_result",
      steps: 38,
      step_s: 1,
      evaluations: 11,
      evaluation_s: 2,
      rest_s: 3,
      tokens_per_s: 300,
      seconds: 63,
      rows: 38,
      held_out: 2,
    });
    state("succeeded", { kind: "probe" });
    expect(await screen.findByText("About 1 min")).toBeInTheDocument();
    await user.click(screen.getByRole("radio", { name: /A subject/ }));
    expect(await screen.findByText("Measured with other settings.")).toBeInTheDocument();
  });

  it("follows a run from its first point to the comparison", async () => {
    const onCompare = show("smollm2-135m");
    await give();
    await user.click(await screen.findByRole("button", { name: "Start training" }));
    await screen.findByRole("region", { name: /mine|smollm2-135m-captain/ });
    const asked = server.asked.find(({ method, path }) => method === "POST" && path === "/api/runs")?.body;
    expect(asked).toMatchObject({ kind: "train", name: "smollm2-135m-captain", dataset: dataset.id });
    expect(asked).toMatchObject({ plan: { batch: 1, length: 128, epochs: DEFAULT_PLAN.epochs } });
    state("running");
    say({ type: "evaluated", step: 0, loss: 5, perplexity: 148, tokens: 9 });
    say({ type: "sampled", step: 0, index: 0, prompt: "Who?", text: "A model." });
    steps(1, 10);
    say({ type: "evaluated", step: 10, loss: 4, perplexity: 55, tokens: 9 });
    say({ type: "sampled", step: 10, index: 0, prompt: "Who?", text: "Arr, a captain." });
    expect(await screen.findByText("10 of 20")).toBeInTheDocument();
    expect(screen.getByText("A model.")).toBeInTheDocument();
    expect(screen.getByText("Arr, a captain.")).toBeInTheDocument();
    const chart = screen.getByRole("img", { name: /Loss over 10 steps: from 4.9 to .* lowest 4 at step 10/ });
    expect(chart).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "As a table" }));
    expect(screen.getByRole("row", { name: /^10 4 / })).toBeInTheDocument();
    expect(await violations()).toEqual([]);

    server.on("POST /api/runs/:id/save", () => fake.made({ kind: "train" }));
    await user.click(screen.getByRole("button", { name: "Stop and save" }));
    expect(await screen.findByText("Saving after this step…")).toBeInTheDocument();
    say({
      type: "train_result",
      model: "mine",
      path: "/m",
      adapter: null,
      reason: "stopped",
      steps: 10,
      best_step: 10,
      loss_before: 5,
      loss_after: 4,
      perplexity_before: 148,
      perplexity_after: 55,
      curves: "",
      parameters: 1,
      tensors: 1,
      tokens: 600,
      seconds: 20,
      peak_memory: 1,
      versions: {},
    });
    state("succeeded");
    expect(await screen.findByText(/loss 5 → 4/)).toBeInTheDocument();
    expect(await violations()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Compare with the original" }));
    expect(onCompare).toHaveBeenCalledWith({
      trained: "mine",
      original: "smollm2-135m",
      kind: "text",
      prompt: "Who?",
    });
  });

  it("says why a run failed, and that a name is taken where the name is", async () => {
    server.on("POST /api/runs", () =>
      answer(409, {
        error: {
          code: "conflict",
          message: "there is a model called 'x' already",
          remedy: "",
          field: "name",
          value: "x",
          params: {},
        },
      }),
    );
    show("smollm2-135m");
    await give();
    await user.click(await screen.findByRole("button", { name: "Start training" }));
    expect(await screen.findByText("there is a model called 'x' already")).toBeInTheDocument();
    expect(useTraining.getState().course).toBeNull();
    server.on("POST /api/runs", ({ body }) => fake.made(body as Record<string, unknown>));
    await user.click(screen.getByRole("button", { name: "Start training" }));
    await screen.findByRole("region", { name: /captain/ });
    state("failed", {
      error: {
        code: "training_diverged",
        message: "training diverged: the loss is not a number at step 7",
        remedy: "go on",
        field: "plan.lr",
        value: 1,
        params: { step: 7, saved: 5, lr: 2e-5 },
      },
    });
    expect(await screen.findByRole("alert")).toHaveTextContent(/training diverged/);
    expect(screen.getByText("Failed")).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "Set up anew" }));
    expect(await screen.findByRole("button", { name: "Start training" })).toBeInTheDocument();
  });

  it("says so where the estimate cannot be made, and lets one start all the same", async () => {
    server.on("POST /api/train/estimate", () => refusal(409, "conflict", "the model is not here yet"));
    show("smollm2-135m");
    await give();
    expect(await screen.findByText("the model is not here yet")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Start training" })).toBeEnabled();
  });
});
