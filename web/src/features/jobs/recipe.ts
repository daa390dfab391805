/** A recipe's parts, each to be said in a few words. Reads the one JSON form; knows no screen. */

export type BandName = "attn" | "mlp" | "eps";
export type KnobName = BandName | "tone" | "style";
export type RecipePart =
  | { kind: "knob"; name: KnobName; value: number }
  | { kind: "band"; name: BandName; changed: number }
  | { kind: "point"; name: string; value: number }
  | { kind: "delta"; name: string; value: number };

const KNOBS: readonly KnobName[] = ["attn", "mlp", "eps", "tone", "style"];
const BOTH_WAYS: readonly KnobName[] = ["tone", "style"]; // neutral at 0

export function recipeParts(recipe: Record<string, unknown>): RecipePart[] {
  const parts: RecipePart[] = [];
  for (const name of KNOBS) {
    const value = recipe[name];
    if (typeof value === "number" && value !== neutralOf(name)) parts.push({ kind: "knob", name, value });
  }
  for (const [name, delta] of Object.entries(record(recipe.deltas))) {
    const value = typeof delta === "number" ? delta : record(delta).strength;
    if (typeof value === "number" && value !== 0) parts.push({ kind: "delta", name, value });
  }
  for (const [name, band] of Object.entries(record(recipe.bands))) {
    const changed = Array.isArray(band) ? band.filter((value) => value !== 1).length : 0;
    if (changed > 0) parts.push({ kind: "band", name: name as BandName, changed });
  }
  for (const [name, value] of Object.entries(record(recipe.points)))
    if (typeof value === "number" && value !== 1) parts.push({ kind: "point", name, value });
  return parts;
}

export const neutralOf = (name: KnobName): number => (BOTH_WAYS.includes(name) ? 0 : 1);

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
