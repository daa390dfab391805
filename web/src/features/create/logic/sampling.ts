/** How tokens are chosen: the words of the API, the page's defaults, and their limits. Knows no page. */

export interface Sampling {
  greedy: boolean;
  temperature: number;
  top_p: number;
  top_k: number;
  min_p: number;
  repetition_penalty: number;
  no_repeat_ngram_size: number;
  max_new_tokens: number;
  seed: number;
  stop: string[];
  raw: boolean;
}

/** Greedy, so that every difference between the lanes comes from the knob. */
export const DEFAULT_SAMPLING: Sampling = {
  greedy: true,
  temperature: 0.7,
  top_p: 0.95,
  top_k: 0,
  min_p: 0,
  repetition_penalty: 1,
  no_repeat_ngram_size: 0,
  max_new_tokens: 64,
  seed: 7,
  stop: [],
  raw: false,
};

export type NumberField = {
  [K in keyof Sampling]: Sampling[K] extends number ? K : never;
}[keyof Sampling];

export interface Limits {
  min: number;
  max: number;
  step: number;
}

export const SAMPLING_LIMITS: Record<NumberField, Limits> = {
  temperature: { min: 0.05, max: 5, step: 0.05 },
  top_p: { min: 0.05, max: 1, step: 0.05 },
  top_k: { min: 0, max: 1000, step: 1 },
  min_p: { min: 0, max: 1, step: 0.01 },
  repetition_penalty: { min: 0.5, max: 2, step: 0.05 },
  no_repeat_ngram_size: { min: 0, max: 20, step: 1 },
  max_new_tokens: { min: 1, max: 4096, step: 1 },
  seed: { min: 0, max: 2 ** 32 - 1, step: 1 },
};

/** What differs from `neutral` settings; max_new_tokens, greedy and seed always stand, so that nothing is guessed. */
export function toRequest(sampling: Sampling): Partial<Sampling> {
  const { greedy, max_new_tokens, seed } = sampling;
  const out: Partial<Sampling> = { greedy, max_new_tokens, seed };
  if (!greedy) {
    out.temperature = sampling.temperature;
    out.top_p = sampling.top_p;
    if (sampling.top_k > 0) out.top_k = sampling.top_k;
    if (sampling.min_p > 0) out.min_p = sampling.min_p;
  }
  if (sampling.repetition_penalty !== 1) out.repetition_penalty = sampling.repetition_penalty;
  if (sampling.no_repeat_ngram_size > 0) out.no_repeat_ngram_size = sampling.no_repeat_ngram_size;
  if (sampling.stop.length > 0) out.stop = sampling.stop;
  if (sampling.raw) out.raw = true;
  return out;
}

export function fromRequest(kept: Partial<Sampling> | null | undefined): Sampling {
  const known = Object.fromEntries(
    Object.entries(kept ?? {}).filter(([key, value]) => key in DEFAULT_SAMPLING && value !== null),
  );
  return { ...DEFAULT_SAMPLING, ...(kept ? { greedy: false } : {}), ...known };
}
