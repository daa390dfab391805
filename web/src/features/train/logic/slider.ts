/** What is asked of a knob that is learned between two opposite prompts: its settings, their limits, examples. Knows no
 *  page. */
import type { LearnRequest, SliderJson } from "@/api/learn";
import type { Estimate, PlanJson } from "@/api/train";

/** `neutral`: what it is for, a prompt a line. */
export interface Slider {
  plus: string;
  minus: string;
  neutral: string;
  rank: number;
  steps: number;
  batch: number;
  lr: number;
  eta: number;
  count: number;
  seed: number;
}

/** Core's own values. */
export const DEFAULT_SLIDER: Slider = {
  plus: "",
  minus: "",
  neutral: "",
  rank: 4,
  steps: 200,
  batch: 4,
  lr: 1e-3,
  eta: 2,
  count: 32,
  seed: 0,
};

/** As core holds them; a step with a fraction takes fractions. */
export const SLIDER_LIMITS = {
  rank: { min: 1, max: 128, step: 1 },
  steps: { min: 1, max: 100_000, step: 1 },
  batch: { min: 1, max: 256, step: 1 },
  lr: { min: 1e-9, max: 0.1, step: 1e-4 },
  eta: { min: 0.1, max: 20, step: 0.1 },
  count: { min: 1, max: 1000, step: 1 },
} as const;
const MAX_NEUTRAL = 64;

const OWN = { neutral: "", steps: 150, lr: 3e-3, eta: DEFAULT_SLIDER.eta, count: 16 };
/** To begin with, all that an example sets. English, which every model of the family reads. Orange and blue were measured
 *  on the starter, smiling and crying looked at (docs/training-pictures.md). */
export const EXAMPLES = {
  warmth: {
    ...OWN,
    plus: "orange",
    minus: "blue",
    neutral: "heart\ncar\nflower\nbook\nhat\nball",
    steps: 70,
    eta: 1.5,
    count: 12,
  },
  smile: { ...OWN, plus: "smiling face", minus: "crying face" },
  region: { ...OWN, plus: "western style", minus: "eastern style" },
} as const;
export type Example = keyof typeof EXAMPLES;
export const EXAMPLE_NAMES = Object.keys(EXAMPLES) as Example[];

export const neutralOf = ({ neutral }: Pick<Slider, "neutral">): string[] =>
  neutral
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

export type SliderObstacle = "no_plus" | "no_minus" | "same" | "many" | "no_memory" | "bad_name";

/** The first obstacle is the one to clear first; none: it can begin. */
export function sliderObstacles(
  slider: Slider,
  { fits, nameIsGood }: { fits: boolean | null; nameIsGood: boolean },
): SliderObstacle[] {
  const [plus, minus] = [slider.plus.trim(), slider.minus.trim()];
  const found: SliderObstacle[] = [];
  if (plus === "") found.push("no_plus");
  if (minus === "") found.push("no_minus");
  else if (plus === minus) found.push("same");
  if (neutralOf(slider).length > MAX_NEUTRAL) found.push("many");
  if (fits === false) found.push("no_memory");
  if (!nameIsGood) found.push("bad_name");
  return found;
}

/** As the API takes it. */
export const sliderJson = (slider: Slider): SliderJson => ({
  ...slider,
  plus: slider.plus.trim(),
  minus: slider.minus.trim(),
  neutral: neutralOf(slider),
});

/** A run's own, to set up anew. */
export function fromSliderJson({ slider }: Pick<LearnRequest, "slider">): Slider {
  const given = slider as Partial<SliderJson>;
  const { neutral = [] } = given;
  const known = Object.entries(given).filter(([name]) => name in DEFAULT_SLIDER);
  return { ...DEFAULT_SLIDER, ...Object.fromEntries(known), neutral: neutral.join("\n") };
}

/** A training that takes as much memory. */
export const planOf = ({ rank, batch }: Pick<Slider, "rank" | "batch">): PlanJson => ({ rank, batch });

/** What the server would change of such a training, where a slider has it too. */
export function estimateOf(told: Estimate | null): Estimate | null {
  const { batch, accumulation: _, ...others } = told?.change ?? {};
  const alike = batch !== undefined && Object.keys(others).length === 0;
  return told && { ...told, change: alike ? { batch } : null };
}
