/** Numbers that people type and turn: their limits, and what is read from a text. Knows no setting. */

export interface Scale {
  min: number;
  max: number;
}

export const clamp = (x: number, min: number, max: number): number => Math.min(max, Math.max(min, x));

export const round4 = (x: number): number => Math.round(x * 1e4) / 1e4;

/** A typed number, with a comma or a point; null: not a number in range. */
export function parseTyped(text: string, { min, max }: Scale): number | null {
  const value = Number(text.trim().replace(",", ".").replace("−", "-"));
  return text.trim() !== "" && Number.isFinite(value) && value >= min && value <= max ? value : null;
}
