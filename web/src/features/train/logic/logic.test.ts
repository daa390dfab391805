import { describe, expect, it } from "vitest";
import type { RunEvent } from "@/api/events";
import { bestOf, type Course, newCourse, received, sampledAt } from "./course";
import { Curve, smoothed } from "./curve";
import { isName, suggestName } from "./name";
import {
  DEFAULT_PLAN,
  fromPlanJson,
  GOAL_SETS,
  goalOf,
  layersWithin,
  planJson,
  sizeFor,
  withChange,
} from "./plan";
import { obstacles } from "./ready";
import { moved, zoomed } from "./window";

const said = (event: Record<string, unknown>): RunEvent =>
  ({ id: 1, run: "r", attempt: 1, ...event }) as unknown as RunEvent;
const steps = (from: number, to: number, attempt = 1): RunEvent => {
  const step = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  return said({
    type: "train_steps",
    attempt,
    steps: 100,
    step,
    loss: step.map((n) => 4 - n / 100 + attempt / 1000),
    lr: step.map(() => 1e-4),
    grad_norm: step.map(() => 1),
    tokens: to * 10,
    tokens_per_s: 50,
    epoch: to / 50,
    eta_s: 100 - to,
  });
};
const all = (...events: RunEvent[]): Course => events.reduce(received, newCourse("r", "n"));

describe("a course", () => {
  it("gathers points, evaluations and answers", () => {
    const course = all(
      said({ type: "evaluated", step: 0, loss: 4, perplexity: 54, tokens: 9 }),
      said({ type: "sampled", step: 0, index: 0, prompt: "Hi", text: "Hello" }),
      steps(1, 4),
      steps(5, 6),
      said({ type: "evaluated", step: 6, loss: 3, perplexity: 20, tokens: 9 }),
      said({ type: "sampled", step: 6, index: 0, prompt: "Hi", text: "Arr" }),
    );
    expect([...course.curve.column("step")]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(course).toMatchObject({ steps: 100, tokens: 60, etaSeconds: 94 });
    expect(bestOf(course.evaluations)).toMatchObject({ step: 6, loss: 3 });
    expect(sampledAt(course.samples)).toEqual([0, 6]);
  });

  it("takes no point twice, and none of another run", () => {
    const course = all(steps(1, 4), steps(3, 5), { ...steps(6, 9), run: "other" } as RunEvent);
    expect([...course.curve.column("step")]).toEqual([1, 2, 3, 4, 5]);
  });

  it("is cut back where a new attempt begins, and hears no word of the old one", () => {
    const course = all(
      steps(1, 9),
      said({ type: "evaluated", step: 5, loss: 4, perplexity: 54, tokens: 9 }),
      said({ type: "evaluated", step: 8, loss: 3, perplexity: 20, tokens: 9 }),
      said({ type: "sampled", step: 8, index: 0, prompt: "Hi", text: "Arr" }),
      said({ type: "restart", attempt: 2, from: 6 }),
      steps(10, 12, 1),
      steps(7, 8, 2),
    );
    expect([...course.curve.column("step")]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(course.curve.at("loss", 6)).toBeCloseTo(4 - 0.07 + 0.002);
    expect(course.evaluations.map(({ step }) => step)).toEqual([5]);
    expect(course.samples).toEqual([]);
    expect(course.attempt).toBe(2);
  });

  it("keeps one line of the log for all steps in a row", () => {
    expect(all(steps(1, 4), steps(5, 6)).lines).toHaveLength(1);
    expect(all(steps(1, 4), said({ type: "saved", step: 4, kept: [4] }), steps(5, 6)).lines).toHaveLength(3);
  });
});

describe("a curve", () => {
  it("grows beyond its first room, and keeps every point", () => {
    const curve = new Curve();
    for (let step = 1; step <= 100_000; step++) curve.add(step, step / 2, 0, 0);
    expect(curve.length).toBe(100_000);
    expect(curve.at("loss", 99_999)).toBe(50_000);
    curve.cut(10);
    curve.add(11, 1, 0, 0);
    expect([...curve.column("step")].slice(-2)).toEqual([10, 11]);
  });

  it("smooths as TensorBoard does: the first value is itself, a constant stays", () => {
    expect([...smoothed(Float64Array.of(3, 3, 3), 0.9)].map((x) => Math.round(x * 1e9) / 1e9)).toEqual([
      3, 3, 3,
    ]);
    expect([...smoothed(Float64Array.of(1, 2), 0)]).toEqual([1, 2]);
    expect(smoothed(Float64Array.of(1, 2), 0.5)[1]).toBeCloseTo((0.25 * 1 + 0.5 * 2) / 0.75);
  });
});

describe("a window on the charts", () => {
  it("comes closer about a place that stays, and never leaves the run", () => {
    expect(zoomed(null, 100, 2, 50)).toEqual([25, 75]);
    expect(zoomed(null, 100, 2, 0)).toEqual([0, 50]);
    expect(zoomed([25, 75], 100, 0.5)).toBeNull();
    expect(moved([50, 100], 100, 0.5)).toEqual([50, 100]);
    expect(moved([50, 100], 100, -0.2)).toEqual([40, 90]);
  });
});

describe("a plan", () => {
  const size = sizeFor(DEFAULT_PLAN, 8192, null);

  it("begins as the first goal, and knows whose settings it has", () => {
    expect(goalOf(DEFAULT_PLAN)).toBe("style");
    expect(goalOf({ ...DEFAULT_PLAN, ...GOAL_SETS.character })).toBe("character");
    expect(goalOf({ ...DEFAULT_PLAN, rank: 7 })).toBeNull();
  });

  it("goes to the server with layers spelt out, rounds or steps, and no empty question", () => {
    const json = planJson({ ...DEFAULT_PLAN, layers: [2, 4], samples: ["a ", " "] }, 30, size);
    expect(json).toMatchObject({ layers: [2, 3, 4], samples: ["a"], batch: 4, length: 512 });
    expect(json).not.toHaveProperty("steps");
    expect(json).not.toHaveProperty("dtype");
    expect(planJson({ ...DEFAULT_PLAN, layers: [0, 29], steps: 9 }, 30, size)).toMatchObject({
      layers: null,
      steps: 9,
    });
    expect(planJson({ ...DEFAULT_PLAN, steps: 9 }, 30, size)).not.toHaveProperty("epochs");
  });

  it("stays within the model's layers", () => {
    expect(layersWithin([4, 20], 12)).toEqual([4, 11]);
    expect(layersWithin([20, 25], 12)).toEqual([0, 11]);
    expect(layersWithin(null, 12)).toEqual([0, 11]);
  });

  it("takes small steps where there is little to learn from, and wide ones where there is much", () => {
    expect(sizeFor(DEFAULT_PLAN, 8192, { tokens: 2315, longest: 65 })).toEqual({ batch: 1, length: 128 });
    expect(sizeFor(DEFAULT_PLAN, 8192, { tokens: 1_000_000, longest: 300 })).toEqual({
      batch: 4,
      length: 512,
    });
    expect(sizeFor(DEFAULT_PLAN, 8192, { tokens: 1_000_000, longest: 9000 })).toEqual({
      batch: 4,
      length: 512,
    });
    expect(sizeFor(DEFAULT_PLAN, 32, null)).toEqual({ batch: 4, length: 32 });
    expect(sizeFor({ batch: 3, length: 99 }, 8192, { tokens: 10, longest: 5 })).toEqual({
      batch: 3,
      length: 99,
    });
  });

  it("takes a change that is offered, and comes back from a run's own plan", () => {
    const changed = withChange(DEFAULT_PLAN, { batch: 1, accumulation: 4, checkpointing: true });
    expect(changed).toMatchObject({ batch: 1, accumulation: 4, checkpointing: true, rank: 8 });
    const back = fromPlanJson({ ...planJson({ ...DEFAULT_PLAN, layers: [2, 4] }, 30, size) });
    expect(back).toMatchObject({ layers: [2, 4], epochs: DEFAULT_PLAN.epochs, steps: null });
  });
});

describe("a name", () => {
  it("can be a folder's, in any script", () => {
    for (const name of ["a", "나의 선장", "x-1.2_b"]) expect(isName(name)).toBe(true);
    for (const name of ["", " a", "a/b", "-a", ".a", "a ", "x".repeat(65)]) expect(isName(name)).toBe(false);
  });

  it("is suggested from model and file, and is not taken yet", () => {
    expect(suggestName("HuggingFaceTB/SmolLM2-135M", "my data.jsonl", [])).toBe("SmolLM2-135M-my-data");
    expect(suggestName("gpt2", "선장.csv", ["gpt2-선장"])).toBe("gpt2-선장-2");
    expect(isName(suggestName("m".repeat(90), "…", []))).toBe(true);
  });
});

describe("whether it can begin", () => {
  const fine = {
    kind: "text",
    dataset: { kind: "text" },
    trained: 9,
    learns: true,
    fits: true,
    nameIsGood: true,
  } as const;
  it("names what stands in the way, the first first", () => {
    expect(obstacles(fine)).toEqual([]);
    expect(obstacles({ ...fine, fits: null, trained: null })).toEqual([]);
    expect(obstacles({ ...fine, dataset: null, fits: false })).toEqual(["no_data", "no_memory"]);
    expect(obstacles({ ...fine, trained: 0, nameIsGood: false })).toEqual(["unreadable", "bad_name"]);
    expect(obstacles({ ...fine, dataset: { kind: "image" } })).toEqual(["pictures"]);
    expect(obstacles({ ...fine, kind: "image" })).toEqual(["texts"]);
    expect(obstacles({ ...fine, kind: "image", dataset: { kind: "image" }, learns: false })).toEqual([
      "no_blocks",
    ]);
  });
});
