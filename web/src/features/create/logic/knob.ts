/** The arithmetic of a slider: its scale, its steps, the detent at neutral, and the eps a knob makes.
 *  Knows no DOM: positions are fractions of the track, 0–1. */

import { clamp, round4, type Scale } from "@/shared/typed";
import { GAIN_MAX, type KnobName, neutralOf } from "./recipe";

export const CLASSIC = { min: 0.1, max: 2, step: 0.05, fine: 0.01 } as const;
/** TONE and STYLE: as far down as up. */
export const BOTH_WAYS = { min: -1, max: 1 } as const;

/** A delta: beyond what was trained, and against it. A page's knob shows what its model says: 0–2, a slider's −2–2. */
export const DELTA = { min: -2, max: 2 } as const;

/** eps' = eps · 10^(knob − 1): a knob that moves evenly moves eps by powers of ten. */
export const epsOf = (eps: number, knob: number): number => eps * 10 ** (knob - 1);

/** The knob that makes eps' = 1e-1: 5 at eps 1e-5. */
export const epsKnobMax = (eps: number): number => round4(1 + Math.log10(0.1 / eps));

export const formatEps = (eps: number): string => eps.toExponential(1).replace("e+", "e");

/** Classic range for ATTN and MLP, widened while a typed value lies beyond it; EPS goes on to its limit. */
export function scaleOf(name: KnobName, value: number, epsMax: number): Scale {
  if (neutralOf(name) === 0) return BOTH_WAYS;
  if (name === "eps") return { min: CLASSIC.min, max: Math.max(CLASSIC.max, epsMax) };
  return { min: value < CLASSIC.min ? 0 : CLASSIC.min, max: value > CLASSIC.max ? GAIN_MAX : CLASSIC.max };
}

/** What may be typed beside the slider. */
export function limitsOf(name: KnobName, epsMax: number): Scale {
  if (neutralOf(name) === 0) return BOTH_WAYS;
  return name === "eps" ? scaleOf(name, 1, epsMax) : { min: 0, max: GAIN_MAX };
}

export const fractionOf = (value: number, { min, max }: Scale): number =>
  clamp((value - min) / (max - min), 0, 1);

const snap = (value: number, step: number): number => round4(Math.round(value / step) * step);

/** From the pointer's place to a value: steps of 0.05, a small magnet at neutral; fine: steps of 0.01, no magnet. */
export function valueAt(fraction: number, scale: Scale, trackPx: number, fine: boolean, neutral = 1): number {
  const raw = scale.min + clamp(fraction, 0, 1) * (scale.max - scale.min);
  const magnet = Math.min(0.045, Math.max(0.035, (5 / Math.max(trackPx, 1)) * (scale.max - scale.min)));
  if (!fine && Math.abs(raw - neutral) <= magnet) return neutral;
  return clamp(snap(raw, fine ? CLASSIC.fine : CLASSIC.step), scale.min, scale.max);
}

/** What a key makes of a value; null: the key is not ours. */
export function valueByKey(key: string, value: number, scale: Scale, fine: boolean): number | null {
  const step = fine ? CLASSIC.fine : CLASSIC.step;
  const moves: Record<string, number> = {
    ArrowRight: step,
    ArrowUp: step,
    ArrowLeft: -step,
    ArrowDown: -step,
    PageUp: 0.25,
    PageDown: -0.25,
  };
  if (key === "Home") return scale.min;
  if (key === "End") return scale.max;
  const move = moves[key];
  if (move === undefined) return null;
  return clamp(round4(value + move), scale.min, scale.max);
}
