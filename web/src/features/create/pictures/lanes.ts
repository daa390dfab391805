/** Events → the pictures of the two lanes. Pure: a state and an event in, a state out. Whose events count (the latest
 *  move's, the present attempt's) is decided before: see ../lanes. Knows neither network nor React. */

import type { RunEvent } from "@/api/events";
import type { PictureMeasuresEvent } from "@/api/pictures";

export interface PictureView {
  index: number;
  preview: string | null; // a data: address of the picture so far; null once it is finished
  step: number;
  steps: number;
  url: string | null;
  seed: number | null;
  width: number;
  height: number;
  sha256: string | null;
  measures: Pick<PictureMeasuresEvent, "difference" | "ssim" | "colourfulness" | "sharpness"> | null;
}

export interface PictureLane {
  items: PictureView[];
  stale: boolean; // belongs to the move before; cleared by the first preview or picture of the new one
  ended: { reason: string; firstMs: number } | null;
}

export interface PicturePair {
  base: PictureLane;
  tuned: PictureLane;
}

export const EMPTY_PICTURES: PictureLane = { items: [], stale: false, ended: null };
export const NO_PICTURES: PicturePair = { base: EMPTY_PICTURES, tuned: EMPTY_PICTURES };

const stale = (lane: PictureLane): PictureLane => ({ ...lane, stale: lane.items.length > 0 });

/** A move was made: the tuned pictures go stale, the original's only if something else was asked of it. */
export const askedPictures = ({ base, tuned }: PicturePair, sameBase: boolean): PicturePair => ({
  base: sameBase ? base : stale(base),
  tuned: stale(tuned),
});

export function receivedPictures(
  pair: PicturePair,
  event: RunEvent,
  index: { base: number; tuned: number },
): PicturePair {
  if (!("lane" in event)) return pair;
  const name = event.lane === index.base ? "base" : event.lane === index.tuned ? "tuned" : null;
  if (name === null) return pair;
  const lane = take(pair[name], event);
  return lane === pair[name] ? pair : { ...pair, [name]: lane };
}

function take(lane: PictureLane, event: RunEvent): PictureLane {
  switch (event.type) {
    case "preview": {
      const there = lane.stale ? undefined : lane.items.find(({ index }) => index === event.index);
      if (there?.url || (there && there.step > event.step)) return lane; // finished, or further on
      const preview = `data:${event.mime};base64,${event.data}`;
      return put(lane, event.index, { preview, step: event.step, steps: event.steps });
    }
    case "picture": {
      const { url, seed, width, height, sha256 } = event;
      return put(lane, event.index, { preview: null, url, seed, width, height, sha256 });
    }
    case "picture_measures": {
      const { difference, ssim, colourfulness, sharpness } = event;
      return put(lane, event.index, { measures: { difference, ssim, colourfulness, sharpness } });
    }
    case "lane_end":
      return lane.stale || lane.items.length === 0
        ? lane
        : { ...lane, ended: { reason: event.finish_reason, firstMs: event.first_token_ms } };
    default:
      return lane;
  }
}

const UNSEEN: Omit<PictureView, "index"> = {
  preview: null,
  step: 0,
  steps: 0,
  url: null,
  seed: null,
  width: 0,
  height: 0,
  sha256: null,
  measures: null,
};

function put(lane: PictureLane, index: number, change: Partial<PictureView>): PictureLane {
  const from = lane.stale ? EMPTY_PICTURES : lane;
  const before = from.items.find((one) => one.index === index) ?? { index, ...UNSEEN };
  const items = [...from.items.filter((one) => one.index !== index), { ...before, ...change }];
  return { ...from, items: items.sort((a, b) => a.index - b.index) };
}

export type PictureChange =
  | { kind: "same" }
  | { kind: "differs"; ssim: number | null; difference: number | null }
  | null;

/** What the move did to one picture; null while one of the two is not finished. */
export function pictureChange({ base, tuned }: PicturePair, index: number): PictureChange {
  if (base.stale || tuned.stale) return null;
  const before = base.items.find((one) => one.index === index);
  const after = tuned.items.find((one) => one.index === index);
  if (!before?.sha256 || !after?.sha256) return null;
  const { ssim = null, difference = null } = after.measures ?? {};
  if (before.sha256 === after.sha256 || difference === 0) return { kind: "same" };
  return { kind: "differs", ssim, difference };
}

/** How many pictures there are to choose from. */
export const pictureCount = ({ base, tuned }: PicturePair): number =>
  Math.max(0, ...[...base.items, ...tuned.items].map(({ index }) => index + 1));
