/** What is asked of a training: its settings, their limits, and the goals that set several at once. Knows no page. */
import type { PlanJson } from "@/api/train";

export type Part = "attn" | "mlp";
export type Method = "lora" | "qlora" | "dora" | "full";
export const PARTS: readonly Part[] = ["attn", "mlp"];
export const METHODS: readonly Method[] = ["lora", "qlora", "dora", "full"];
export const SCHEDULES = ["cosine", "linear", "constant"] as const;
export const DTYPES = ["auto", "float32", "bfloat16"] as const;

/** What is asked of every training, words or pictures. `alpha` and `lr` null: by the method. `batch` null: by the data.
 *  `steps` null: by `epochs`. */
export interface Learning {
  parts: Part[];
  method: Method;
  rank: number;
  alpha: number | null;
  dropout: number;
  epochs: number;
  steps: number | null;
  lr: number | null;
  schedule: (typeof SCHEDULES)[number];
  warmup: number;
  weight_decay: number;
  clip: number;
  batch: number | null;
  accumulation: number;
  checkpointing: boolean;
  eval_share: number;
  patience: number;
  samples: string[];
  seed: number;
  dtype: (typeof DTYPES)[number];
}

/** Everything the page lets one set for a model that writes. `layers` is a range, both ends in it; null: all. `length`
 *  null: by the data, see `sizeFor`. */
export interface Plan extends Learning {
  layers: [number, number] | null;
  length: number | null;
  packing: boolean;
  answers_only: boolean;
  sample_tokens: number;
}

/** Core's own values, but for what a goal sets and what is drawn or answered on the way. */
export const DEFAULT_LEARNING: Omit<Learning, "parts" | "epochs" | "samples"> = {
  method: "lora",
  rank: 8,
  alpha: null,
  dropout: 0,
  steps: null,
  lr: null,
  schedule: "cosine",
  warmup: 0.03,
  weight_decay: 0.01,
  clip: 1,
  batch: null,
  accumulation: 1,
  checkpointing: false,
  eval_share: 0.05,
  patience: 0,
  seed: 0,
  dtype: "auto",
};

export const DEFAULT_PLAN: Plan = {
  ...DEFAULT_LEARNING,
  parts: ["attn"],
  epochs: 3,
  layers: null,
  length: null,
  packing: true,
  answers_only: true,
  sample_tokens: 32,
  samples: ["I want to be a superman.", "Why is the sky blue?"],
};

export const GOALS = ["style", "knowledge", "character"] as const;
export type Goal = (typeof GOALS)[number];

/** What a goal sets, and nothing else. */
export const GOAL_SETS: Record<Goal, Pick<Plan, "parts" | "method" | "rank" | "epochs" | "steps" | "lr">> = {
  style: { parts: ["attn"], method: "lora", rank: 8, epochs: 3, steps: null, lr: null },
  knowledge: { parts: ["mlp"], method: "lora", rank: 32, epochs: 3, steps: null, lr: null },
  character: { parts: ["attn", "mlp"], method: "lora", rank: 16, epochs: 4, steps: null, lr: null },
};

/** The goal whose settings these are; null: one's own. */
export const goalOf = (plan: Plan): Goal | null => setBy(GOAL_SETS, plan);

/** The first of `sets` that `plan` agrees with. */
export function setBy<G extends string, P extends object>(sets: Record<G, Partial<P>>, plan: P): G | null {
  const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);
  const like = (goal: G) =>
    Object.entries(sets[goal]).every(([name, value]) => same(plan[name as keyof P], value));
  return (Object.keys(sets) as G[]).find(like) ?? null;
}

type Limits = { min: number; max: number; step: number };
/** As core holds them; a step with a fraction takes fractions. */
export const LIMITS = {
  rank: { min: 1, max: 1024, step: 1 },
  alpha: { min: 0.01, max: 4096, step: 0.5 },
  dropout: { min: 0, max: 0.9, step: 0.05 },
  epochs: { min: 0.01, max: 1000, step: 0.5 },
  steps: { min: 1, max: 10_000_000, step: 1 },
  lr: { min: 1e-9, max: 0.1, step: 1e-5 },
  warmup: { min: 0, max: 0.5, step: 0.01 },
  weight_decay: { min: 0, max: 1, step: 0.01 },
  clip: { min: 0, max: 1000, step: 0.5 },
  batch: { min: 1, max: 1024, step: 1 },
  accumulation: { min: 1, max: 1024, step: 1 },
  eval_share: { min: 0, max: 0.5, step: 0.01 },
  patience: { min: 0, max: 1000, step: 1 },
  sample_tokens: { min: 1, max: 512, step: 1 },
} satisfies Record<string, Limits>;
export const MAX_SAMPLES = 8;
export const MAX_SAMPLE_CHARACTERS = 4000;

const LR: Record<Method, number> = { lora: 2e-4, qlora: 2e-4, dora: 2e-4, full: 5e-5 };
const LENGTH = 512;

export const lrOf = ({ lr, method }: Learning): number => lr ?? LR[method];
export const alphaOf = ({ alpha, rank }: Learning): number => alpha ?? 2 * rank;

export interface Size {
  batch: number;
  length: number;
}
const BATCH = 4;
const LENGTHS = [64, 128, 256, LENGTH] as const;
const STEPS_A_ROUND = 16;

export const longestLength = (context: number | null): number => Math.min(LENGTH, context ?? LENGTH);

/** How much is computed at once. Few examples want small steps: a sequence no longer than the longest example, and at least
 *  STEPS_A_ROUND steps a round, where there are tokens for so many. `told`: of all examples; null: not known. */
export function sizeFor(
  plan: Pick<Plan, "batch" | "length">,
  context: number | null,
  told: { tokens: number; longest: number } | null,
): Size {
  const most = longestLength(context);
  const wide = LENGTHS.find((each) => each >= (told?.longest ?? most)) ?? most;
  const length = plan.length ?? Math.min(wide, most);
  const fits = (batch: number) => told === null || told.tokens / (batch * length) >= STEPS_A_ROUND;
  return { length, batch: plan.batch ?? [BATCH, BATCH / 2].find(fits) ?? 1 };
}

/** The range within a model of `count` layers; a range wholly outside of it is all of them. */
export function layersWithin(layers: Plan["layers"], count: number): [number, number] {
  const [from, to] = layers ?? [0, count - 1];
  return from >= count ? [0, count - 1] : [from, Math.min(to, count - 1)];
}

/** As the API takes it, for a model of `layers` layers (0: not known yet). */
export function planJson(plan: Plan, layers: number, size: Size): PlanJson {
  const { layers: _, ...rest } = plan;
  const [from, to] = layersWithin(plan.layers, layers);
  const all = plan.layers === null || layers === 0 || (from === 0 && to === layers - 1);
  return {
    ...learningJson(rest),
    ...size,
    layers: all ? null : Array.from({ length: to - from + 1 }, (_each, i) => from + i),
  };
}

/** Rounds or steps, no empty sample, and no dtype where the machine's own will do. */
export function learningJson<P extends Pick<Learning, "epochs" | "steps" | "dtype" | "samples">>(plan: P) {
  const { epochs, steps, dtype, samples, ...rest } = plan;
  return {
    ...rest,
    ...(steps === null ? { epochs } : { steps }),
    samples: samples.map((text) => text.trim()).filter((text) => text !== ""),
    ...(dtype === "auto" ? {} : { dtype: dtype as Exclude<typeof dtype, "auto"> }),
  };
}

/** A change the server offers ("batch 1, four gathered"), worked into the plan; what the page has no setting for is left. */
export function withChange<P extends Learning>(plan: P, change: PlanJson): P {
  const known = Object.entries(change).filter(
    ([name]) => name in plan && !["layers", "blocks"].includes(name),
  );
  return { ...plan, ...(Object.fromEntries(known) as Partial<P>) };
}

/** A run's own plan, to go on from. Layers that are no range become all. */
export function fromPlanJson(json: Record<string, unknown>): Plan {
  const given = json as PlanJson;
  const plan = withChange(DEFAULT_PLAN, given);
  const { layers } = given;
  const range = layers && layers.length > 0 && (layers.at(-1) ?? 0) - (layers[0] ?? 0) === layers.length - 1;
  return {
    ...plan,
    layers: range ? [layers[0] ?? 0, layers.at(-1) ?? 0] : null,
    ...lengthOf(given, DEFAULT_PLAN),
  };
}

/** How long a run of before was: neither rounds nor steps are one round. */
export const lengthOf = ({ epochs, steps }: PlanJson, own: Pick<Learning, "epochs">) => ({
  epochs: epochs ?? (steps ? own.epochs : 1),
  steps: steps ?? null,
});
