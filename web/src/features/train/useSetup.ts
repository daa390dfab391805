/** What is set up, for a model that writes and for one that draws: the plan as the server takes it, and what of the data
 *  it depends on. Knows the draft and the chosen model, no card. */
import { useDebouncedValue } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useMemo } from "react";
import { type Dataset, type PlanJson, picturePreviewQuery, previewQuery } from "@/api/train";
import type { Layout } from "@/api/types";
import { useDraft } from "./logic/draft";
import { batchFor, blocksOf, learnsAnything, picturePlanJson, pixelsOf } from "./logic/picturePlan";
import { longestLength, planJson, sizeFor } from "./logic/plan";

export const SETTLED_MS = 250; // after the last move of a setting
const FEW = { text: 3, image: 8 }; // rows of the preview, which asks for as many

export interface Setup {
  plan: PlanJson;
  learns: boolean; // any block at all
  trained: number | null; // tokens to learn, of those looked at; null: not known, or there are none to count
  looked: { trained: number | null; problems: number } | null;
}

/** `layout` null: it does not write. `reader`: the model whose tokenizer is here. */
export function useTextSetup(layout: Layout | null, reader: string | null, dataset: Dataset | null) {
  const own = useDraft((draft) => draft.plan);
  const layers = layout?.layers ?? 0;
  const context = layout?.context_length ?? null;
  const [length] = useDebouncedValue(own.length ?? longestLength(context), SETTLED_MS);
  const preview = useQuery({
    ...previewQuery(dataset?.id ?? "", reader, length, FEW.text),
    enabled: layout !== null && dataset?.kind === "text",
  });
  const counted = preview.data?.tokens ?? null;
  const told = counted !== null && counted.rows === dataset?.rows ? counted : null; // of all examples
  const size = sizeFor(own, context, told);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a size is its two numbers
  const plan = useMemo(() => planJson(own, layers, size), [own, layers, size.batch, size.length]);
  const setup: Setup = {
    plan,
    learns: true,
    trained: counted?.trained ?? null,
    looked: counted && { trained: counted.trained, problems: problemsOf(dataset, counted) },
  };
  return { ...setup, context, length, size };
}

const NO_SIDES = { sample_size: 64, multiple_of: 8 };

/** `layout` null: it does not draw. */
export function usePictureSetup(layout: Layout | null, dataset: Dataset | null) {
  const own = useDraft((draft) => draft.pictures);
  const sides = layout?.image ?? NO_SIDES;
  const blocks = useMemo(() => blocksOf(layout ?? { band_names: [], trainable_bands: [] }), [layout]);
  const pixels = pixelsOf(own, sides);
  const pictures = dataset?.kind === "image" ? dataset : null;
  const preview = useQuery({
    ...picturePreviewQuery(dataset?.id ?? "", pixels, FEW.image),
    enabled: layout !== null && pictures !== null,
  });
  const counted = preview.data?.pictures ?? null;
  const batch = batchFor(own, pictures?.rows ?? null);
  const plan = useMemo(() => picturePlanJson(own, blocks, sides, batch), [own, blocks, sides, batch]);
  const setup: Setup = {
    plan,
    learns: learnsAnything(own, blocks),
    trained: null,
    looked: counted && { trained: null, problems: problemsOf(dataset, counted) },
  };
  const captions = preview.data?.rows.map(({ pieces }) => pieces.map(({ text }) => text).join("")) ?? [];
  return { ...setup, blocks, pixels, multiple: sides.multiple_of, batch, captions };
}

type WithFindings = { findings: readonly unknown[] } | null;
const problemsOf = (...told: WithFindings[]): number =>
  told.reduce((sum, one) => sum + (one?.findings.length ?? 0), 0);
