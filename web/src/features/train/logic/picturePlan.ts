/** What is asked of a training of pictures: its settings, their limits, and the goals that set several at once. Knows no
 *  page; how long and how fast is learned is as for words. */
import type { PlanJson } from "@/api/train";
import type { Layout } from "@/api/types";
import { DEFAULT_LEARNING, type Learning, learningJson, lengthOf, setBy, withChange } from "./plan";

/** `blocks`: of the UNet, by name; null: all that can learn. `resolution` null: the model's own. 0 turns `snr_gamma` and
 *  `ema` off, no words turn `prior` off. */
export interface PicturePlan extends Learning {
  blocks: string[] | null;
  text_encoder: boolean;
  resolution: number | null;
  snr_gamma: number;
  caption_dropout: number;
  prior: string;
  prior_count: number;
  prior_weight: number;
  ema: number;
}

export const DEFAULT_PICTURE_PLAN: PicturePlan = {
  ...DEFAULT_LEARNING,
  parts: ["attn", "mlp"],
  epochs: 40,
  blocks: null,
  text_encoder: false,
  resolution: null,
  snr_gamma: 0,
  caption_dropout: 0.1,
  prior: "",
  prior_count: 32,
  prior_weight: 1,
  ema: 0,
  samples: ["smiling cat", "red apple"],
};

export const PICTURE_GOALS = ["style", "character", "concept"] as const;
export type PictureGoal = (typeof PICTURE_GOALS)[number];
type Sets = Pick<
  PicturePlan,
  "parts" | "blocks" | "text_encoder" | "method" | "rank" | "epochs" | "steps" | "lr"
>;

const ALWAYS = { blocks: null, method: "lora", steps: null, lr: null } as const;
/** What a goal sets, and nothing else. */
export const PICTURE_GOAL_SETS: Record<PictureGoal, Sets> = {
  style: { ...ALWAYS, parts: ["attn", "mlp"], text_encoder: false, rank: 8, epochs: 40 },
  character: { ...ALWAYS, parts: ["attn", "mlp"], text_encoder: true, rank: 16, epochs: 80 },
  concept: { ...ALWAYS, parts: ["attn"], text_encoder: true, rank: 8, epochs: 60 },
};

/** The goal whose settings these are; null: one's own. */
export const pictureGoalOf = (plan: PicturePlan): PictureGoal | null => setBy(PICTURE_GOAL_SETS, plan);

/** As core holds them; a step with a fraction takes fractions. */
export const PICTURE_LIMITS = {
  snr_gamma: { min: 0, max: 100, step: 0.5 },
  caption_dropout: { min: 0, max: 1, step: 0.05 },
  prior_count: { min: 1, max: 1000, step: 1 },
  prior_weight: { min: 0.01, max: 10, step: 0.1 },
  ema: { min: 0, max: 0.99999, step: 0.001 },
};
const LEAST_SNR = 0.1; // below it core takes nothing but off
const SIDE = { min: 8, max: 2048 };

type Sides = { sample_size: number; multiple_of: number };

export const TEXT_ENCODER = "TE";

/** The bands of a model as the page shows them; `own`: what it learns of them, without the text encoder. */
export interface Blocks {
  all: readonly string[];
  own: readonly string[];
  encoder: boolean;
}

export function blocksOf({
  band_names,
  trainable_bands,
}: Pick<Layout, "band_names" | "trainable_bands">): Blocks {
  const unet = (names: readonly string[]) => names.filter((name) => name !== TEXT_ENCODER);
  return {
    all: unet(band_names),
    own: unet(trainable_bands),
    encoder: trainable_bands.includes(TEXT_ENCODER),
  };
}

/** Those of the model that are chosen. Names of another model are passed over; are there no others, it is all of them. */
export function blocksWithin(blocks: PicturePlan["blocks"], { own }: Blocks): readonly string[] {
  if (blocks === null) return own;
  const known = own.filter((name) => blocks.includes(name));
  return known.length === 0 && blocks.length > 0 ? own : known;
}

/** Null where they are all of them: so another model's are all, too. */
export const chosenBlocks = (names: readonly string[], { own }: Blocks): string[] | null =>
  own.every((name) => names.includes(name)) ? null : own.filter((name) => names.includes(name));

/** Whether anything at all is to learn. */
export const learnsAnything = (plan: PicturePlan, blocks: Blocks): boolean =>
  (plan.text_encoder && blocks.encoder) || blocksWithin(plan.blocks, blocks).length > 0;

/** Pixels a side; one that this model cannot have is its own. */
export function pixelsOf(
  { resolution }: Pick<PicturePlan, "resolution">,
  { sample_size, multiple_of }: Sides,
) {
  return resolution === null || resolution % multiple_of ? sample_size : resolution;
}

/** Between which sides there is a choice, where they are multiples of `step`. */
export const sidesOf = (step: number) => ({
  min: Math.ceil(SIDE.min / step) * step,
  max: Math.floor(SIDE.max / step) * step,
  step,
});

const BATCH = [4, 2];

/** Pictures at once: few pictures want small steps. `pictures`: how many there are; null: not known. */
export const batchFor = ({ batch }: Pick<PicturePlan, "batch">, pictures: number | null): number =>
  batch ?? BATCH.find((each) => pictures === null || pictures >= each * 4) ?? 1;

/** As the API takes it, for a model of these blocks and sides. */
export function picturePlanJson(plan: PicturePlan, blocks: Blocks, sides: Sides, batch: number): PlanJson {
  const { text_encoder, snr_gamma, prior, prior_count, prior_weight, ...rest } = plan;
  const words = prior.trim();
  const unet = chosenBlocks(blocksWithin(plan.blocks, blocks), blocks);
  const encoder = text_encoder && blocks.encoder;
  return {
    ...learningJson(rest),
    batch,
    blocks: encoder ? [...(unet ?? blocks.own), TEXT_ENCODER] : unet,
    resolution: pixelsOf(plan, sides) === sides.sample_size ? null : plan.resolution,
    snr_gamma: snr_gamma < LEAST_SNR ? null : snr_gamma,
    ...(words === "" ? {} : { prior: words, prior_count, prior_weight }),
  };
}

/** A run's own plan, to go on from. */
export function fromPicturePlanJson(json: Record<string, unknown>): PicturePlan {
  const given = json as PlanJson;
  const names = given.blocks ?? null;
  const unet = names?.filter((name) => name !== TEXT_ENCODER) ?? null;
  return {
    ...withChange(DEFAULT_PICTURE_PLAN, given),
    blocks: unet,
    text_encoder: names?.includes(TEXT_ENCODER) ?? false,
    snr_gamma: given.snr_gamma ?? 0,
    prior: given.prior ?? "",
    ...lengthOf(given, DEFAULT_PICTURE_PLAN),
  };
}
