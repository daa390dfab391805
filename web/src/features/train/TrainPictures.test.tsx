/** The whole page for a model that draws, with a server on its side of the network. */
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { setLanguage } from "@/shared/i18n/i18n";
import { violations } from "@/test/axe";
import { card } from "@/test/data";
import type { FakeServer } from "@/test/fakeServer";
import { useDraft } from "./logic/draft";
import { DEFAULT_PICTURE_PLAN } from "./logic/picturePlan";
import { type FakeTraining, fakeTraining, show } from "./trainFake";

const dataset = {
  id: "d".repeat(64),
  name: "night.zip",
  kind: "image",
  format: "pictures",
  rows: 30,
  bytes: 20_300,
  columns: {},
  findings: [
    {
      code: "no_caption",
      message: "pictures without a caption: 1",
      params: { count: 1, files: ["b.png"] },
      lines: [2],
    },
    {
      code: "skipped_files",
      message: "files left out: 1",
      params: { count: 1, skipped: [{ file: "notes.pdf", why: "no picture and no caption" }] },
      lines: [],
    },
  ],
  sizes: { smallest: [48, 48], largest: [128, 179] },
  created_at: "2026-11-22T10:00:00.000Z",
};
const row = (text: string) => ({
  pieces: [{ text, trained: true }],
  picture: { url: `/api/datasets/d/pictures/${text}.png`, width: 64, height: 64 },
});
const small = { code: "too_small", message: "", params: { count: 2, pixels: 64, rows: 30 }, lines: [5, 7] };
const preview = {
  rows: [row("red circle"), row("")],
  tokens: null,
  pictures: { rows: 30, captioned: 29, pixels: 64, findings: [small] },
};
const estimate = {
  trainable: { parameters: 280_000, tensors: 140, all_parameters: 15.3e6, all_tensors: 500, share: 0.0183 },
  memory: { weights: 5e7, gradients: 4e6, optimizer: 8e6, activations: 3e7, working: 2e8, together: 3e8 },
  have: 8e9,
  device: "cpu",
  fits: true,
  change: null,
  remedy: null,
};
const layout = {
  kind: "image",
  layers: 5,
  context_length: null,
  band_names: ["IN00", "IN01", "M00", "OUT00", "TE"],
  trainable_bands: ["IN01", "M00", "OUT00", "TE"],
  image: { sample_size: 64, multiple_of: 8 },
};

let fake: FakeTraining;
let server: FakeServer;
const user = userEvent.setup();

beforeEach(() => {
  const model = card({ id: "emoji", name: "Emoji", kind: "image", layers: null, context_length: null });
  fake = fakeTraining({ card: model, layout, dataset, preview, estimate });
  server = fake.server;
});

afterEach(() => {
  fake.end();
  useDraft.setState({ dataset: null, name: null, pictures: DEFAULT_PICTURE_PLAN });
});

async function give() {
  const field = await screen.findByLabelText("Choose pictures", { selector: "input" });
  fireEvent.change(field, { target: { files: [new File(["zip"], "night.zip")] } });
  await screen.findByText("As the model sees them");
}

const planOf = (path: string) => {
  const asked = server.asked.findLast((ask) => ask.path === path && ask.method === "POST");
  return (asked?.body as { plan: object } | undefined)?.plan;
};
const say: FakeTraining["say"] = (data) => fake.say(data);

describe("the Train page of a model that draws", () => {
  it("shows pictures as the model sees them, and says what is wrong with them", async () => {
    show("emoji");
    await give();
    expect(screen.getByText("48 × 48 to 128 × 179")).toBeInTheDocument();
    expect(screen.getByText("on 29 of 30")).toBeInTheDocument();
    expect(screen.getByText(/1 picture has no caption/)).toHaveTextContent("b.png");
    expect(screen.getByText(/1 file was left out/)).toHaveTextContent(
      "notes.pdf (no picture and no caption)",
    );
    expect(screen.getByText(/2 pictures are smaller than 64 pixels/)).toHaveTextContent("pictures 5, 7");
    const seen = within(screen.getByRole("list", { name: "As the model sees them" }));
    expect(seen.getByRole("img", { name: "Picture 1" })).toHaveAttribute("width", "64");
    expect(seen.getByText("red circle")).toBeInTheDocument();
    expect(seen.getByText("no caption")).toBeInTheDocument();
    expect(await screen.findByText(/Trains 280K new numbers beside the model's 15.3M/)).toBeInTheDocument();
    expect(screen.getByText("30 pictures are ready.")).toBeInTheDocument();
    expect(screen.getByText("3 things to know")).toBeInTheDocument();
    expect(await violations()).toEqual([]);
    setLanguage("ko");
    expect(await screen.findByText(/notes.pdf \(그림도 설명도 아니에요\)/)).toBeInTheDocument();
    expect(await violations()).toEqual([]);
  });

  it("packs pictures and their captions that are dropped together", async () => {
    show("emoji");
    await screen.findByText("Drop pictures here");
    const files = [new File(["p"], "cat-1.png"), new File(["a cat"], "cat-1.txt")];
    fireEvent.drop(document.body, { dataTransfer: { types: ["Files"], files } });
    await screen.findByText("As the model sees them");
    const [sent] = fake.sent;
    expect(sent?.url).toContain("name=cat.zip");
    const bytes = new Uint8Array((await sent?.file.arrayBuffer()) ?? new ArrayBuffer(0));
    expect([...bytes.slice(0, 4)]).toEqual([0x50, 0x4b, 3, 4]);
  });

  it("asks for nothing but what a picture model has", async () => {
    show("emoji");
    await give();
    await waitFor(() => expect(planOf("/api/train/estimate")).toMatchObject({ blocks: null }));
    const text = ["layers", "length", "packing", "answers_only", "sample_tokens", "prior"];
    for (const name of text) expect(planOf("/api/train/estimate")).not.toHaveProperty(name);
    await user.click(screen.getByRole("radio", { name: /A character or a thing/ }));
    expect(screen.getByRole("checkbox", { name: /The text encoder learns, too/ })).toBeChecked();
    await waitFor(() =>
      expect(planOf("/api/train/estimate")).toMatchObject({ blocks: ["IN01", "M00", "OUT00", "TE"] }),
    );
    expect(screen.queryByText("Layers")).not.toBeInTheDocument();
    await user.click(screen.getByText("Expert settings"));
    expect(screen.getByRole("textbox", { name: "Resolution" })).toHaveValue("64");
    for (const name of ["Tokens in a sequence", "Longest watched answer"])
      expect(screen.queryByRole("textbox", { name })).not.toBeInTheDocument();
    await user.type(screen.getByRole("textbox", { name: "What shall stay as it was" }), "a cat");
    await waitFor(() =>
      expect(planOf("/api/train/estimate")).toMatchObject({ prior: "a cat", prior_count: 32 }),
    );
    expect(await violations()).toEqual([]);
  });

  it("lets single blocks learn, but not none at all", async () => {
    show("emoji");
    await give();
    const blocks = within(screen.getByRole("group", { name: "Blocks" }));
    const block = (name: string) => blocks.getByRole("button", { name });
    expect(block("IN00")).toBeDisabled();
    expect(block("IN01")).toHaveAttribute("aria-pressed", "true");
    await user.click(block("IN01"));
    await user.click(block("OUT00"));
    expect(blocks.getByText("1 of 3")).toBeInTheDocument();
    await waitFor(() => expect(planOf("/api/train/estimate")).toMatchObject({ blocks: ["M00"] }));
    await user.click(block("M00"));
    expect(screen.getByText("Choose at least one block, or the text encoder.")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Start training" })).toBeDisabled();
    await user.click(block("All"));
    expect(screen.getByRole("button", { name: "Start training" })).toBeEnabled();
  });

  it("refuses texts, and says what this model learns", async () => {
    const words = { ...dataset, id: "e".repeat(64), kind: "text", format: "text", sizes: null, findings: [] };
    server.on("GET /api/datasets", () => ({ items: [words] }));
    server.on("GET /api/datasets/:id/preview", () => ({ rows: [], tokens: null, pictures: null }));
    useDraft.setState({ dataset: words.id });
    show("emoji");
    expect(await screen.findByText("These are texts; this model learns pictures.")).toBeInTheDocument();
    expect(screen.getByRole("button", { name: "Start training" })).toBeDisabled();
  });

  it("shows what it draws over the steps, and ends beside the original", async () => {
    const onCompare = show("emoji");
    await give();
    await user.click(await screen.findByRole("button", { name: "Add “red circle”" }));
    await user.click(screen.getByRole("button", { name: "Start training" }));
    await screen.findByRole("region", { name: /emoji-night/ });
    expect(planOf("/api/runs")).toMatchObject({
      batch: 4,
      samples: [...DEFAULT_PICTURE_PLAN.samples, "red circle"],
    });
    const state = (state: string) =>
      say({
        type: "state",
        state,
        kind: "train",
        name: "mine",
        model: "emoji",
        page: null,
        position: null,
        worker: null,
        error: null,
      });
    const drawn = (step: number, sha256: string) =>
      say({
        type: "sampled",
        step,
        index: 0,
        prompt: "smiling cat",
        text: "",
        picture: { seed: 0, width: 64, height: 64, sha256, size: 9, url: `/api/artifacts/${sha256}.png` },
      });
    state("running");
    say({ type: "evaluated", step: 0, loss: 1.2, perplexity: null, tokens: 2 });
    drawn(0, "aa");
    say({ type: "phase", phase: "measuring", done: 0, total: null, unit: "parts" });
    expect(await screen.findByText("Measuring and drawing the watched prompts")).toBeInTheDocument();
    expect(screen.getByRole("img", { name: "smiling cat: Before training" })).toHaveAttribute(
      "src",
      "/api/artifacts/aa.png",
    );
    for (const [step, sha256] of [
      [5, "bb"],
      [10, "cc"],
    ] as const) {
      say({
        type: "train_steps",
        steps: 10,
        step: [step],
        loss: [1.1],
        lr: [2e-4],
        grad_norm: [1],
        tokens: step * 4,
        tokens_per_s: 8.4,
        epoch: 1,
        eta_s: 1,
      });
      say({ type: "evaluated", step, loss: 1.2 - step / 100, perplexity: null, tokens: 2 });
      drawn(step, sha256);
    }
    expect(await screen.findByRole("img", { name: "smiling cat: After step 10" })).toHaveAttribute(
      "src",
      "/api/artifacts/cc.png",
    );
    expect(screen.getByText("Pictures/s").parentElement).toHaveTextContent("8.4");
    const moments = within(screen.getByRole("group", { name: "All moments: smiling cat" }));
    await user.click(moments.getByRole("button", { name: "After step 5" }));
    expect(screen.getByRole("img", { name: "smiling cat: After step 5" })).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "As a table" }));
    expect(screen.queryByRole("columnheader", { name: "Perplexity" })).not.toBeInTheDocument();
    expect(await violations()).toEqual([]);

    say({
      type: "train_result",
      model: "mine",
      path: "/m",
      adapter: null,
      reason: "steps",
      steps: 10,
      best_step: 10,
      loss_before: 1.2,
      loss_after: 1.1,
      perplexity_before: null,
      perplexity_after: null,
      curves: "",
      parameters: 1,
      tensors: 1,
      tokens: 40,
      seconds: 20,
      peak_memory: 1,
      versions: {},
    });
    state("succeeded");
    expect(await screen.findByText(/loss 1.2 → 1.1/)).not.toHaveTextContent("perplexity");
    expect(await violations()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Compare with the original" }));
    expect(onCompare).toHaveBeenCalledWith({
      trained: "mine",
      original: "emoji",
      kind: "image",
      prompt: "smiling cat",
    });
  });
});
