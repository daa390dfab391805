/** Cards, runs and events for tests, whole by default. */
import type { Card, Run } from "@/api/types";

export function card(change: Partial<Card> = {}): Card {
  return {
    id: "smollm2-135m",
    name: "SmolLM2-135M",
    family: "llama",
    architecture: "LlamaForCausalLM",
    source: "starter",
    path: null,
    ready: true,
    parameters: 134_515_008,
    size_on_disk: 269_000_000,
    expanded_size: null,
    download_size: null,
    dtype: "float32",
    memory_needed: 420_000_000,
    fits: true,
    reason: null,
    licence: "Apache-2.0",
    languages: ["en"],
    layers: 30,
    context_length: 8192,
    gated: false,
    starter: true,
    revision: null,
    ...change,
  };
}

export function run(change: Partial<Run> = {}): Run {
  const recipe = change.recipe ?? { attn: 1.15 };
  const id = change.id ?? "01a";
  return {
    id,
    kind: "generate",
    state: "succeeded",
    name: `quick-otter-${id}`,
    model: "smollm2-135m",
    page: null,
    prompt: "I want to be a superman.",
    recipe,
    recipe_hash: "ab12",
    attempt: 1,
    worker: "worker-1",
    position: null,
    phase: null,
    error: null,
    resumable: null,
    created_at: "2026-11-22T10:00:00.000Z",
    started_at: "2026-11-22T10:00:00.100Z",
    finished_at: "2026-11-22T10:00:02.100Z",
    request: {
      kind: "generate",
      model: "smollm2-135m",
      revision: null,
      prompt: "I want to be a superman.",
      messages: null,
      recipe,
      sampling: { greedy: false, temperature: 0.7, seed: 42, max_new_tokens: 64 },
      lanes: [
        { name: "base", recipe: {} },
        { name: "tuned", recipe },
      ],
      top: 0,
      dtype: null,
    },
    result: {
      type: "result",
      model: "smollm2-135m",
      revision: "main",
      dtype: "float32",
      device: "cpu",
      recipe,
      seed: 42,
      lanes: [
        {
          name: "base",
          text: "A great goal.",
          token_ids: [1, 2, 3],
          finish_reason: "stop",
          recipe: {},
          metrics: {},
        },
        {
          name: "tuned",
          text: `A surreal goal of ${id}.`,
          token_ids: [1, 7, Number.parseInt(id, 16)],
          finish_reason: "stop",
          recipe,
          metrics: { tokens_per_s: 40, repetition: 0.01 },
        },
      ],
      manifest: {},
      timing: {},
      checksum: { weights: "77aa", loaded: "a41f", live: "a41f", verified: true },
      versions: { imfine: "0.1.0", torch: "2.9.0", transformers: "5.0.0", threads: "2" },
    },
    ...change,
  };
}
