/** Where two answers differ: the first token, and the words. Knows neither models nor the page. */

import { diffArrays } from "diff";

/** Index of the first token that differs; null: none so far (one may still be longer than the other). */
export function firstDifference(base: readonly number[], tuned: readonly number[]): number | null {
  const n = Math.min(base.length, tuned.length);
  for (let i = 0; i < n; i++) if (base[i] !== tuned[i]) return i;
  return null;
}

/** The same of two whole answers: where one goes on after the other's end, that is the first change. */
export function firstChange(base: readonly number[], tuned: readonly number[]): number | null {
  return (
    firstDifference(base, tuned) ??
    (base.length === tuned.length ? null : Math.min(base.length, tuned.length))
  );
}

export interface Span {
  from: number;
  to: number; // exclusive, UTF-16 units
}

interface Word extends Span {
  text: string;
}

const SEGMENT = /[\p{L}\p{M}\p{N}'’_-]+|[^\s\p{L}\p{M}\p{N}]/gu;

export function wordsOf(text: string): Word[] {
  return Array.from(text.matchAll(SEGMENT), (m) => ({
    text: m[0],
    from: m.index,
    to: m.index + m[0].length,
  }));
}

const EDITS_MAX = 500; // words; beyond it everything after the first different word counts as changed

/** Spans of `tuned` whose words are not in `base` (Myers); neighbours are joined. */
export function changedSpans(base: string, tuned: string): Span[] {
  const a = wordsOf(base);
  const b = wordsOf(tuned);
  const texts = (words: Word[]): string[] => words.map(({ text }) => text);
  const changes = diffArrays(texts(a), texts(b), { maxEditLength: EDITS_MAX });
  const kept: boolean[] = [];
  if (changes) {
    for (const { added, removed, count } of changes)
      if (!removed) for (let i = 0; i < count; i++) kept.push(!added);
  } else {
    const start = b.findIndex(({ text }, i) => a[i]?.text !== text);
    b.forEach((_, i) => {
      kept.push(i < start);
    });
  }
  const spans: Span[] = [];
  b.forEach(({ from, to }, j) => {
    if (kept[j]) return;
    const last = spans.at(-1);
    if (last && j > 0 && !kept[j - 1]) last.to = to;
    else spans.push({ from, to });
  });
  return spans;
}

export interface Piece {
  token: number;
  text: string;
}

export interface Run {
  changed: boolean;
  pieces: Piece[];
}

/** A lane's text as runs of changed and unchanged words, each made of pieces of tokens. */
export function runsOf(texts: readonly string[], spans: readonly Span[]): Run[] {
  const runs: Run[] = [];
  let offset = 0;
  let at = 0;
  const push = (changed: boolean, token: number, text: string): void => {
    const last = runs.at(-1);
    if (last && last.changed === changed) last.pieces.push({ token, text });
    else runs.push({ changed, pieces: [{ token, text }] });
  };
  texts.forEach((text, token) => {
    const begin = offset;
    const end = begin + text.length;
    while (offset < end) {
      let span = spans[at];
      while (span && span.to <= offset) span = spans[++at];
      const inside = span !== undefined && span.from <= offset;
      const stop = Math.min(end, span === undefined ? end : inside ? span.to : span.from);
      push(inside, token, text.slice(offset - begin, stop - begin));
      offset = stop;
    }
  });
  return runs;
}
