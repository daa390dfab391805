/** Which stretch of a run the charts show: zoomed about a place, moved, never beyond the run. Pure. */

export type Window = [from: number, to: number];

const LEAST = 4; // steps

/** `factor` above 1 comes closer. `about`: the step that stays where it is. Null: the whole run. */
export function zoomed(window: Window | null, total: number, factor: number, about?: number): Window | null {
  const [from, to] = window ?? [0, total];
  const width = Math.max(Math.min(LEAST, total), (to - from) / factor);
  if (width >= total) return null;
  const centre = about ?? (from + to) / 2;
  const share = to > from ? (centre - from) / (to - from) : 0.5;
  return within(centre - share * width, width, total);
}

/** By a share of what is shown. */
export function moved(window: Window | null, total: number, share: number): Window | null {
  if (window === null) return null;
  const [from, to] = window;
  return within(from + share * (to - from), to - from, total);
}

function within(from: number, width: number, total: number): Window {
  const start = Math.min(Math.max(0, from), total - width);
  return [start, start + width];
}
