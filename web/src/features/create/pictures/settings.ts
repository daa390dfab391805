/** How a picture is made: the words of the API, the page's defaults, their limits. Knows no page. */
import type { ImageJson } from "@/api/pictures";

export const SCHEDULERS = ["default", "ddim", "dpmpp_2m_karras", "euler", "euler_a", "lcm"] as const;
export type Scheduler = (typeof SCHEDULERS)[number];

/** null: as the model has it. */
export interface ImageSettings {
  negative: string;
  steps: number | null;
  guidance: number | null;
  scheduler: Scheduler;
  width: number | null;
  height: number | null;
  count: number;
  seed: number;
}

/** A fixed seed, so that every difference between the two pictures comes from the knobs. */
export const DEFAULT_IMAGE: ImageSettings = {
  negative: "",
  steps: null,
  guidance: null,
  scheduler: "default",
  width: null,
  height: null,
  count: 1,
  seed: 7,
};

/** What a model's layout says of its pictures. */
export interface ImageLayout {
  sample_size: number;
  multiple_of: number;
  window?: number;
  steps?: number | null;
  guidance?: number | null;
}

const STEPS = 20;
const GUIDANCE = 7.5;

export interface OwnSettings {
  steps: number;
  guidance: number;
  size: number;
  multiple: number;
}

/** The model's own settings, as far as it states them. */
export function ownSettings(image: Partial<ImageLayout> | null | undefined): OwnSettings {
  return {
    steps: image?.steps ?? STEPS,
    guidance: image?.guidance ?? GUIDANCE,
    size: image?.sample_size ?? 512,
    multiple: image?.multiple_of ?? 8,
  };
}

export type ImageNumber = "steps" | "guidance" | "width" | "height" | "count" | "seed";

export function imageLimits(
  own: OwnSettings,
): Record<ImageNumber, { min: number; max: number; step: number }> {
  const side = { min: own.multiple, max: 2048, step: own.multiple };
  return {
    steps: { min: 1, max: 150, step: 1 },
    guidance: { min: 0, max: 30, step: 0.5 },
    width: side,
    height: side,
    count: { min: 1, max: 8, step: 1 },
    seed: { min: 0, max: 2 ** 32 - 1, step: 1 },
  };
}

/** What differs from the model's own; the seed always stands, so that nothing is guessed. */
export function toImageRequest(settings: ImageSettings): ImageJson {
  const { negative, steps, guidance, scheduler, width, height, count, seed } = settings;
  const out: ImageJson = { seed };
  if (negative.trim() !== "") out.negative = negative;
  if (steps !== null) out.steps = steps;
  if (guidance !== null) out.guidance = guidance;
  if (scheduler !== "default") out.scheduler = scheduler;
  if (width !== null) out.width = width;
  if (height !== null) out.height = height;
  if (count !== 1) out.count = count;
  return out;
}

const isScheduler = (name: unknown): name is Scheduler => SCHEDULERS.some((one) => one === name);

export function fromImageRequest(kept: ImageJson | null | undefined): ImageSettings {
  return {
    negative: kept?.negative ?? "",
    steps: kept?.steps ?? null,
    guidance: kept?.guidance ?? null,
    scheduler: isScheduler(kept?.scheduler) ? kept.scheduler : "default",
    width: kept?.width ?? null,
    height: kept?.height ?? null,
    count: kept?.count ?? 1,
    seed: kept?.seed ?? DEFAULT_IMAGE.seed,
  };
}
