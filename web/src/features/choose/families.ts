/** The models by family, what can be used at once first. Knows cards, no screen. */
import type { Card } from "@/api/types";

export type FamilyName = "llama" | "gpt" | "sd";

export type Family = {
  name: FamilyName;
  /** Best first; empty: none on this machine. */
  cards: Card[];
  /** A model to look at where there is none. */
  suggestion: string | null;
};

const SUGGESTED: Record<FamilyName, string | null> = {
  llama: "Qwen/Qwen2.5-0.5B-Instruct",
  gpt: "openai-community/gpt2",
  sd: null,
};

export function isUsable(card: Card): boolean {
  return card.reason === null && card.fits !== false;
}

function rank(card: Card): number {
  return Number(isUsable(card)) * 8 + Number(card.ready) * 4 + Number(card.starter) * 2;
}

/** LLAMA, GPT, Stable Diffusion; those with a model that is ready come first. */
export function families(cards: readonly Card[]): Family[] {
  const made = (["llama", "gpt", "sd"] as const).map((name) => ({
    name,
    cards: cards.filter((card) => card.family === name).sort((a, b) => rank(b) - rank(a)),
    suggestion: SUGGESTED[name],
  }));
  const readiness = ({ cards: [best] }: Family) => (best ? rank(best) : -1);
  return made.sort(
    (a, b) => Number(a.name === "sd") - Number(b.name === "sd") || readiness(b) - readiness(a),
  );
}

/** Cards of no family we know: listed with their reason, not hidden. */
export function strangers(cards: readonly Card[]): Card[] {
  return cards.filter((card) => card.family !== "llama" && card.family !== "gpt" && card.family !== "sd");
}
