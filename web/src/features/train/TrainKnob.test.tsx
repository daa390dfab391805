/** The Train page of a model that draws, from two phrases: what is asked, refused, told and come of it. */
import { cleanup, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { setLanguage } from "@/shared/i18n/i18n";
import { violations } from "@/test/axe";
import { card } from "@/test/data";
import { type FakeServer, refusal } from "@/test/fakeServer";
import { useDraft } from "./logic/draft";
import { DEFAULT_SLIDER } from "./logic/slider";
import { useView } from "./logic/view";
import { useProbe } from "./probe";
import { type FakeTraining, fakeTraining, show } from "./trainFake";

const layout = {
  kind: "image",
  layers: 2,
  context_length: null,
  band_names: ["IN00", "TE"],
  trainable_bands: ["IN00", "TE"],
  image: { sample_size: 64, multiple_of: 8 },
};
const estimate = {
  trainable: { parameters: 280_000, tensors: 140, all_parameters: 15.3e6, all_tensors: 500, share: 0.0183 },
  memory: { weights: 5e7, gradients: 4e6, optimizer: 8e6, activations: 3e7, working: 2e8, together: 3e8 },
  have: 8e9,
  device: "cpu",
  fits: true,
  change: null as object | null,
  remedy: null,
};
const NO_DATA = { id: "d".repeat(64) };

let fake: FakeTraining;
let server: FakeServer;
const user = userEvent.setup();

beforeEach(() => {
  const model = card({ id: "emoji", name: "Emoji", kind: "image", layers: null, context_length: null });
  fake = fakeTraining({ card: model, layout, dataset: NO_DATA, preview: {}, estimate });
  server = fake.server;
});

afterEach(() => {
  fake.end();
  useDraft.setState({ way: "pictures", slider: DEFAULT_SLIDER, knob: null });
  useView.setState({ expert: false });
});

const field = (name: string | RegExp) => screen.getByRole("textbox", { name });
const start = () => screen.getByRole("button", { name: "Learn this knob" });
const asked = () =>
  server.asked.findLast(({ path, method }) => path === "/api/runs" && method === "POST")?.body;
const state = (name: string, more: object = {}) =>
  fake.say({
    type: "state",
    state: name,
    kind: "learn",
    name: "smile",
    model: "emoji",
    page: null,
    position: null,
    worker: null,
    error: null,
    ...more,
  });
const steps = (...step: number[]) =>
  fake.say({
    type: "train_steps",
    steps: 4,
    step,
    loss: step.map((n) => 0.1 / n),
    lr: step.map(() => 1e-3),
    grad_norm: step.map(() => 1),
    tokens: 8,
    tokens_per_s: 5.5,
    epoch: 1,
    eta_s: 12,
  });

/** The run as the server keeps it. */
const told = () => ({
  id: fake.latest,
  kind: "learn",
  name: "smile",
  model: "emoji",
  prompt: "smiling face ↔ crying face",
  request: {
    kind: "learn",
    model: "emoji",
    revision: null,
    name: "smile",
    slider: {
      plus: "smiling face",
      minus: "crying face",
      neutral: [],
      batch: 4,
      dtype: "float32",
    },
    label: null,
  },
  result: null,
  resumable: null,
});

async function twoPhrases(onCompare = show("emoji")) {
  await user.click(await screen.findByRole("radio", { name: /From two phrases/ }));
  return onCompare;
}

describe("the Train page, from two phrases", () => {
  it("offers the way where a model draws, and says what is still missing", async () => {
    await twoPhrases();
    expect(screen.queryByText("Drop pictures here")).not.toBeInTheDocument();
    expect(start()).toBeDisabled();
    expect(screen.getByText(/Say first what it goes towards when it is turned up/)).toBeInTheDocument();
    await user.type(field("Turned up, it goes towards"), "old");
    await user.type(field("Turned down, it goes towards"), "old");
    expect(screen.getAllByText("Both say the same. Give opposites.")).toHaveLength(2);
    expect(field("Turned down, it goes towards")).toBeInvalid();
    await user.type(field("Turned down, it goes towards"), "er");
    expect(field("Name of the knob")).toHaveValue("old");
    expect(start()).toBeEnabled();
    await user.click(screen.getByText("Expert settings"));
    for (const name of ["Steps", "Strength", "Rank", "Learning rate", "Pictures it draws first", "Seed"])
      expect(field(name)).toBeInTheDocument();
    expect(await screen.findByText(/it fits/)).toBeInTheDocument();
    expect(await violations()).toEqual([]);
    setLanguage("ko");
    expect(await screen.findByRole("button", { name: "손잡이 배우기" })).toBeEnabled();
    expect(await violations()).toEqual([]);
  });

  it("asks for what an example sets and what was changed of it, and keeps it over a reload", async () => {
    await twoPhrases();
    await user.click(screen.getByRole("button", { name: "orange ↔ blue" }));
    expect(field("Name of the knob")).toHaveValue("warmth");
    expect(useDraft.getState().slider).toMatchObject({ steps: 70, eta: 1.5, count: 12 });
    await user.click(screen.getByRole("button", { name: "smiling face ↔ crying face" }));
    expect(field(/What it is for/)).toHaveValue("");
    await user.type(field(/What it is for/), "a cat\n\n a house ");
    await user.click(screen.getByText("Expert settings"));
    await user.clear(field("Steps"));
    await user.type(field("Steps"), "40{Enter}");
    cleanup();
    show("emoji");
    await user.click(await screen.findByRole("button", { name: "Learn this knob" }));
    await screen.findByRole("region", { name: "smile" });
    expect(asked()).toMatchObject({
      kind: "learn",
      model: "emoji",
      name: "smile",
      slider: {
        plus: "smiling face",
        minus: "crying face",
        neutral: ["a cat", "a house"],
        steps: 40,
        eta: 2,
        rank: 4,
        count: 16,
        seed: 0,
      },
    });
  });

  it("measures how long it takes to learn, and says when that was of other settings", async () => {
    await twoPhrases();
    const button = () => screen.findByRole("button", { name: "Measure how long it takes" });
    expect(await button()).toBeDisabled();
    expect(screen.getByText("Can be measured once both phrases are there.")).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "orange ↔ blue" }));
    await user.click(await button());
    await waitFor(() => expect(useProbe.getState().run).toBe(fake.latest));
    expect(asked()).toMatchObject({ kind: "probe", model: "emoji", slider: { plus: "orange", steps: 70 } });
    expect(asked()).not.toHaveProperty("dataset");
    fake.say({ type: "phase", phase: "measuring", done: 2, total: 25, unit: "steps" });
    expect(await screen.findByText("Taking some steps…")).toBeInTheDocument();
    fake.say({
      type: "probe_result",
      steps: 70,
      step_s: 0.5,
      evaluations: 0,
      evaluation_s: 0,
      rest_s: 25,
      tokens_per_s: 8,
      seconds: 60,
      rows: 12,
      held_out: 0,
    });
    state("succeeded", { kind: "probe" });
    expect(await screen.findByText("About 1 min")).toBeInTheDocument();
    expect(screen.getByText(/70 steps, 8 pictures a second/)).toBeInTheDocument();
    expect(await violations()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "smiling face ↔ crying face" }));
    expect(await screen.findByText("Measured with other settings.")).toBeInTheDocument();
  });

  it("shows each refusal at its field", async () => {
    await twoPhrases();
    await user.click(screen.getByRole("button", { name: "smiling face ↔ crying face" }));
    for (const [status, name, label] of [
      [422, "slider.plus", "Turned up, it goes towards"],
      [422, "slider.neutral.0", /What it is for/],
      [409, "name", "Name of the knob"],
    ] as const) {
      server.on("POST /api/runs", () => refusal(status, "invalid", `${name} is wrong`, name));
      await user.click(start());
      await waitFor(() => expect(field(label)).toHaveAccessibleDescription(`${name} is wrong`));
    }
    await user.type(field("Name of the knob"), "2");
    expect(screen.queryByRole("alert")).not.toBeInTheDocument();
    server.on("POST /api/runs", () => refusal(500, "internal", "the disk is full"));
    await user.click(start());
    expect(await screen.findByRole("alert")).toHaveTextContent("the disk is full");
    expect(await violations()).toEqual([]);
  });

  it("offers what would fit, where the memory is too small", async () => {
    const change = { batch: 1, accumulation: 4 };
    server.on("POST /api/train/estimate", () => ({ ...estimate, fits: false, have: 1e8, change }));
    await twoPhrases();
    await user.click(screen.getByRole("button", { name: "smiling face ↔ crying face" }));
    expect(await screen.findByText("It does not fit into memory so.")).toBeInTheDocument();
    expect(screen.getByText("1 at once")).toBeInTheDocument();
    await user.click(screen.getByRole("button", { name: "Change it so" }));
    expect(useDraft.getState().slider.batch).toBe(1);
  });

  it("shows how it goes, and ends with the knob to try", async () => {
    const onCompare = await twoPhrases();
    await user.click(screen.getByRole("button", { name: "smiling face ↔ crying face" }));
    await user.click(start());
    await screen.findByRole("region", { name: "smile" });
    state("running");
    fake.say({ type: "phase", phase: "working", done: 4, total: 32, unit: "parts" });
    expect(await screen.findByText(/Drawing the pictures it learns on/)).toHaveTextContent("4 / 32");
    for (const name of ["Pause", "Stop and save"])
      expect(screen.queryByRole("button", { name })).not.toBeInTheDocument();
    steps(1, 2);
    expect(await screen.findByText("2 of 4")).toBeInTheDocument();
    expect(screen.getByText("Time left").parentElement).toHaveTextContent("12");
    expect(screen.queryByText("held back")).not.toBeInTheDocument();
    expect(await violations()).toEqual([]);
    steps(3, 4);
    fake.made = told;
    fake.say({ type: "slider_result", delta: "smile", steps: 4, loss: 0.03, seconds: 61, parameters: 9 });
    state("succeeded");
    expect(await screen.findByRole("heading", { name: "smile is ready" })).toBeInTheDocument();
    expect(screen.getByText(/below 0 towards “crying face”/)).toBeInTheDocument();
    expect(await violations()).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Try it" }));
    expect(onCompare).toHaveBeenCalledWith({
      trained: "smile",
      original: "emoji",
      kind: "image",
      prompt: "crying face",
    });
  });

  it("sets up anew what failed, as the server would change it", async () => {
    await twoPhrases();
    await user.click(screen.getByRole("button", { name: "smiling face ↔ crying face" }));
    await user.click(start());
    await screen.findByRole("region", { name: "smile" });
    fake.made = told;
    const error = {
      code: "out_of_memory",
      message: "the memory ran out",
      remedy: "",
      field: "slider.batch",
      value: 4,
    };
    state("failed", { error: { ...error, params: { change: { batch: 2 } } } });
    expect(await screen.findByText("2 at once")).toBeInTheDocument();
    expect(await violations()).toEqual([]);
    await waitFor(() => user.click(screen.getByRole("button", { name: "Change it so" })));
    expect(await screen.findByRole("button", { name: "Learn this knob" })).toBeEnabled();
    expect(useDraft.getState().slider).toMatchObject({ neutral: "", batch: 2, steps: 200 });
    expect(field("Name of the knob")).toHaveValue("smile");
  });
});
