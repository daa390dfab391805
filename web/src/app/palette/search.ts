/** Which commands a few typed letters mean: every word somewhere in the title, group or hint; Korean also by 초성. */
import { getChoseong } from "es-hangul";
import type { Command } from "@/shared/store/commands";

const ONLY_CHOSEONG = /^[ㄱ-ㅎ\s]+$/u;

export function search(commands: readonly Command[], query: string): Command[] {
  const words = query.trim().toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [...commands];
  return commands
    .map((command) => ({ command, rank: rank(command, words) }))
    .filter(({ rank }) => rank > 0)
    .sort((a, b) => b.rank - a.rank)
    .map(({ command }) => command);
}

function rank(command: Command, words: readonly string[]): number {
  const title = command.title.toLowerCase();
  const rest = `${command.group} ${command.hint ?? ""}`.toLowerCase();
  let sum = 0;
  for (const word of words) {
    if (title.startsWith(word)) sum += 4;
    else if (title.includes(word)) sum += 3;
    else if (ONLY_CHOSEONG.test(word) && getChoseong(title).replaceAll(" ", "").includes(word)) sum += 2;
    else if (rest.includes(word)) sum += 1;
    else return 0;
  }
  return sum;
}
