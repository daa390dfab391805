/** One view over both pictures: how far in, and where. Places are shares of the frame, so that frames of different sizes
 *  show the same part. Knows no DOM. */

export interface ZoomView {
  scale: number; // 1: the whole picture
  x: number; // how far the picture's corner is moved, in frames; never positive
  y: number;
}

export const WHOLE: ZoomView = { scale: 1, x: 0, y: 0 };
export const ZOOM_MAX = 16;

const within = (x: number, min: number, max: number): number => Math.min(max, Math.max(min, x));

/** The frame is always filled. */
const filled = ({ scale, x, y }: ZoomView): ZoomView => ({
  scale,
  x: within(x, 1 - scale, 0),
  y: within(y, 1 - scale, 0),
});

/** Nearer or farther by `factor`; what lies under (`atX`, `atY`) stays there. */
export function zoomed(view: ZoomView, factor: number, atX = 0.5, atY = 0.5): ZoomView {
  const scale = within(view.scale * factor, 1, ZOOM_MAX);
  const by = scale / view.scale;
  return filled({ scale, x: atX - (atX - view.x) * by, y: atY - (atY - view.y) * by });
}

export const moved = (view: ZoomView, dx: number, dy: number): ZoomView =>
  filled({ ...view, x: view.x + dx, y: view.y + dy });

export const transformOf = ({ scale, x, y }: ZoomView): string =>
  `translate(${x * 100}%, ${y * 100}%) scale(${scale})`;
