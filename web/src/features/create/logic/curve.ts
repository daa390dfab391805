/** The geometry of the equalizer: bars, the curve through them, painting across layers.
 *  Knows no DOM and no model: layers are indices, values are gains (drawn from 0 to 2, neutral in the middle). */

import { clamp, round4 } from "@/shared/typed";
import { CLASSIC } from "./knob";
import { GAIN_MAX } from "./recipe";

export interface Group {
  from: number;
  to: number; // the last layer, inclusive
}

/** One bar a layer; beyond 32 layers, neighbours share a bar. */
export function groupsOf(layers: number, most = 32): Group[] {
  const size = Math.max(1, Math.ceil(layers / most));
  const groups: Group[] = [];
  for (let from = 0; from < layers; from += size)
    groups.push({ from, to: Math.min(layers, from + size) - 1 });
  return groups;
}

/** The mean of each group: what its bar shows. */
export const grouped = (values: number[], groups: Group[]): number[] =>
  groups.map(({ from, to }) => {
    let sum = 0;
    for (let i = from; i <= to; i++) sum += values[i] ?? 1;
    return sum / (to - from + 1);
  });

export interface Lane {
  top: number;
  height: number;
}

export const DRAWN_MAX = 2;

export const yOf = (value: number, { top, height }: Lane): number =>
  top + height * (1 - clamp(value, 0, DRAWN_MAX) / DRAWN_MAX);

/** The gain under a pointer, in steps of 0.05 with a detent at neutral; fine: steps of 0.01. */
export function gainAt(y: number, { top, height }: Lane, fine: boolean): number {
  const raw = clamp((1 - (y - top) / height) * DRAWN_MAX, 0, DRAWN_MAX);
  if (!fine && Math.abs(raw - 1) < 0.05) return 1;
  const step = fine ? CLASSIC.fine : CLASSIC.step;
  return round4(Math.round(raw / step) * step);
}

/** A smooth line through the points that never overshoots them (monotone cubic, Fritsch–Carlson). */
export function curvePath(points: { x: number; y: number }[]): string {
  const slopes = points.slice(1).map((b, i) => {
    const a = points[i] ?? b;
    return (b.y - a.y) / (b.x - a.x);
  });
  const tangents = points.map((_, i) => {
    const before = slopes[i - 1];
    const after = slopes[i];
    if (before === undefined || after === undefined) return before ?? after ?? 0;
    return before * after <= 0 ? 0 : (2 * before * after) / (before + after);
  });
  return points
    .map((b, i) => {
      const a = points[i - 1];
      if (!a) return `M${num(b.x)} ${num(b.y)}`;
      const third = (b.x - a.x) / 3;
      const c1 = `${num(a.x + third)} ${num(a.y + (tangents[i - 1] ?? 0) * third)}`;
      const c2 = `${num(b.x - third)} ${num(b.y - (tangents[i] ?? 0) * third)}`;
      return `C${c1} ${c2} ${num(b.x)} ${num(b.y)}`;
    })
    .join("");
}

const num = (x: number): string => String(Math.round(x * 10) / 10);

export interface Stroke {
  index: number;
  value: number;
}

/** What a quick drag passed between two pointer events: no layer in between is left out. */
export function strokeBetween(a: Stroke, b: Stroke): Stroke[] {
  const steps = Math.abs(b.index - a.index);
  if (steps === 0) return [b];
  const direction = Math.sign(b.index - a.index);
  return Array.from({ length: steps }, (_, k) => {
    const t = (k + 1) / steps;
    return { index: a.index + direction * (k + 1), value: round4(a.value + (b.value - a.value) * t) };
  });
}

/** Layers beside a moved one follow less the farther they are (a bell, σ layers wide). */
export const falloff = (distance: number, sigma = 1.8): number =>
  Math.exp(-(distance * distance) / (2 * sigma * sigma));

/** The band after a gesture: `painted` layers take their values; linked, their neighbours follow from where
 *  they stood when the gesture began. */
export function paint(start: number[], painted: Map<number, number>, linked: boolean): number[] {
  if (!linked) return start.map((v, i) => painted.get(i) ?? v);
  return start.map((v, i) => {
    const own = painted.get(i);
    if (own !== undefined) return own;
    let way = Number.POSITIVE_INFINITY;
    let delta = 0;
    for (const [k, value] of painted) {
      if (Math.abs(k - i) >= way) continue;
      way = Math.abs(k - i);
      delta = value - (start[k] ?? 1);
    }
    const follows = delta * falloff(way);
    if (Math.abs(follows) < 0.005) return v;
    return round4(clamp(Math.round((v + follows) * 100) / 100, 0, GAIN_MAX));
  });
}
