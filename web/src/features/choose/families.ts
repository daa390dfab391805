/** The models by family, what can be used at once first. Knows cards, no screen. */
import type { Card } from "@/api/types";

export type FamilyName = "llama" | "gpt" | "sd";

export type Family = {
  name: FamilyName;
  /** Best first; empty: none on this machine. */
  cards: Card[];
  /** A model to look at where there is none. */
  suggestion: string;
};

const SUGGESTED: Record<FamilyName, string> = {
  llama: "Qwen/Qwen2.5-0.5B-Instruct",
  gpt: "openai-community/gpt2",
  sd: "stable-diffusion-v1-5/stable-diffusion-v1-5",
};

/** What a card's family is called, in the words of the page. */
const NAMES: Record<string, FamilyName> = {
  llama: "llama",
  gpt: "gpt",
  sd: "sd",
  "stable-diffusion": "sd",
};
export const familyOf = (card: Card): FamilyName | null => NAMES[card.family ?? ""] ?? null;

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
    cards: cards.filter((card) => familyOf(card) === name).sort((a, b) => rank(b) - rank(a)),
    suggestion: SUGGESTED[name],
  }));
  const readiness = ({ cards: [best] }: Family) => (best ? rank(best) : -1);
  return made.sort((a, b) => readiness(b) - readiness(a));
}

/** Cards of no family we know: listed with their reason, not hidden. */
export function strangers(cards: readonly Card[]): Card[] {
  return cards.filter((card) => familyOf(card) === null);
}
