/** A recipe's parts, each to be said in a few words. Reads the one JSON form; knows no screen. */

export type KnobName = "attn" | "mlp" | "eps";
export type RecipePart =
  | { kind: "knob"; name: KnobName; value: number }
  | { kind: "band"; name: KnobName; changed: number }
  | { kind: "point"; name: string; value: number };

const KNOBS: readonly KnobName[] = ["attn", "mlp", "eps"];

export function recipeParts(recipe: Record<string, unknown>): RecipePart[] {
  const parts: RecipePart[] = [];
  for (const name of KNOBS) {
    const value = recipe[name];
    if (typeof value === "number" && value !== 1) parts.push({ kind: "knob", name, value });
  }
  for (const [name, band] of Object.entries(record(recipe.bands))) {
    const changed = Array.isArray(band) ? band.filter((value) => value !== 1).length : 0;
    if (changed > 0) parts.push({ kind: "band", name: name as KnobName, changed });
  }
  for (const [name, value] of Object.entries(record(recipe.points)))
    if (typeof value === "number" && value !== 1) parts.push({ kind: "point", name, value });
  return parts;
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
