/** Adapters on their way to the server, and what a model's deltas are called. Knows the API, no component. */
import type { Delta } from "@/api/types";
import { setDelta, useDraft } from "./draft";

/** What may be dropped as an adapter; what is in it, the server tells. */
export const isAdapter = (file: File): boolean => /\.(safetensors|zip)$/i.test(file.name);

/** A name for it, out of the file's: letters, digits, spaces and + - _ . are allowed. */
export function adapterName(file: string, taken: readonly string[]): string {
  const plain = file
    .replace(/\.(safetensors|zip)$/i, "")
    .replace(/[^\p{L}\p{N}_. +-]+/gu, "-")
    .replace(/^[^\p{L}\p{N}_]+/u, "")
    .slice(0, 56)
    .trim();
  const name = plain === "" ? "adapter" : plain;
  for (let n = 1; ; n++) {
    const tried = n === 1 ? name : `${name}-${n}`;
    if (!taken.includes(tried)) return tried;
  }
}

/** In the reader's language, where it has a label; else its id. */
export const labelIn = (delta: Delta | undefined, id: string, language: string): string =>
  delta?.label?.[language] ?? delta?.label?.en ?? id;

/** A delta is laid out, all the way on: what it does is heard at once. */
export function turnOn(id: string): void {
  if (useDraft.getState().recipe.deltas[id] === undefined) setDelta(id, { strength: 1 });
}
