/** The two charts of a run, drawn by uPlot on a canvas: loss above, learning rate beneath, one window on both. Where there
 *  are more points than pixels, uPlot draws the smallest and the largest of every pixel's column: nothing is averaged
 *  away, a hundred thousand points take some milliseconds. Knows points, no run. */
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Evaluation } from "../logic/course";
import type { Curve } from "../logic/curve";
import { rate } from "../logic/rate";

import type { Window } from "../logic/window";

export interface Drawn {
  curve: Curve;
  smooth: Float64Array;
  evaluations: readonly Evaluation[];
  steps: number; // of the whole run
}

type Heard = { onAt: (index: number | null) => void; onWindow: (window: Window) => void };

export interface Plots {
  draw: (drawn: Drawn, window: Window | null) => void;
  resize: (width: number) => void;
  recolour: () => void;
  destroy: () => void;
}

const LOSS_PX = 230;
const LR_PX = 84;
const AXIS_PX = 52;
const FONT = '12px "Pretendard Variable", Pretendard, system-ui, sans-serif';

const colour = (token: string, alpha = 1): string => {
  const plain = getComputedStyle(document.documentElement).getPropertyValue(token).trim() || "#888";
  return alpha === 1 ? plain : `color-mix(in srgb, ${plain} ${alpha * 100}%, transparent)`;
};
const line = (): uPlot.Axis.Grid => ({ stroke: () => colour("--line", 0.7), width: 1 });
/** Whether this browser can draw; where it cannot, the table tells. */
export const canDraw = (): boolean => document.createElement("canvas").getContext("2d") !== null;

export function plots(into: HTMLElement, { onAt, onWindow }: Heard): Plots {
  let drawn: Drawn | null = null;
  const key = `train-${Math.random()}`;

  const within = (u: uPlot): readonly Evaluation[] => {
    const { min, max } = u.scales.x ?? {};
    return (drawn?.evaluations ?? []).filter(({ step }) => step >= (min ?? 0) && step <= (max ?? 0));
  };
  const evaluated = (u: uPlot): void => {
    const points = within(u);
    if (points.length === 0) return;
    const { ctx } = u;
    const at = ({ step, loss }: Evaluation): [number, number] => [
      u.valToPos(step, "x", true),
      u.valToPos(loss, "y", true),
    ];
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour("--delta");
    ctx.lineWidth = 2 * devicePixelRatio;
    ctx.beginPath();
    for (const point of points) ctx.lineTo(...at(point));
    ctx.stroke();
    for (const point of points) {
      ctx.beginPath();
      ctx.arc(...at(point), 3.5 * devicePixelRatio, 0, 2 * Math.PI);
      ctx.fill();
    }
    ctx.restore();
  };

  const cursor: uPlot.Cursor = {
    y: false,
    sync: { key },
    drag: { x: true, y: false, setScale: false },
    points: { size: 7, width: 2, fill: () => colour("--surface") },
  };
  const selected = (u: uPlot): void => {
    const { left, width } = u.select;
    if (width < 4) return;
    onWindow([u.posToVal(left, "x"), u.posToVal(left + width, "x")]);
    u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  };
  const x: uPlot.Axis = {
    stroke: () => colour("--quiet"),
    font: FONT,
    grid: line(),
    ticks: { show: false },
    space: 70,
    incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000, 500_000],
    values: (_u, splits) => splits.map((value) => value.toLocaleString()),
  };
  const y = (space: number): uPlot.Axis => ({
    stroke: () => colour("--quiet"),
    font: FONT,
    grid: line(),
    ticks: { show: false },
    size: AXIS_PX,
    space,
    values: (_u, splits) => splits.map(rate),
  });
  const shared = { width: 600, cursor, legend: { show: false } } as const;
  const hooks: uPlot.Hooks.Arrays = { setSelect: [selected] };

  const loss = new uPlot(
    {
      ...shared,
      height: LOSS_PX,
      padding: [10, 12, 0, 0],
      scales: {
        x: { time: false, range: (_u, min, max) => [min, max] },
        y: {
          range: (u, min, max) => {
            const also = within(u).map((one) => one.loss);
            const low = Math.min(min ?? Number.POSITIVE_INFINITY, ...also);
            const high = Math.max(max ?? Number.NEGATIVE_INFINITY, ...also);
            if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
            const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 0.1;
            return [low - room, high + room];
          },
        },
      },
      axes: [{ ...x, size: 6, values: () => [] }, y(44)],
      series: [
        {},
        { stroke: () => colour("--quiet", 0.55), width: 1, points: { show: false } },
        { stroke: () => colour("--text"), width: 2, points: { show: (_u, _n, from, to) => to - from < 2 } },
      ],
      hooks: { ...hooks, draw: [evaluated], setCursor: [(u) => onAt(u.cursor.idx ?? null)] },
    },
    [[], [], []],
    into,
  );
  const lr = new uPlot(
    {
      ...shared,
      height: LR_PX,
      padding: [8, 12, 0, 0],
      scales: {
        x: { time: false, range: (_u, min, max) => [min, max] },
        y: { range: (_u, _min, max) => [0, (max || 1e-4) * 1.15] },
      },
      axes: [{ ...x, size: 26 }, y(26)],
      series: [{}, { stroke: () => colour("--eps"), width: 1.5, points: { show: false } }],
      hooks,
    },
    [[], []],
    into,
  );

  return {
    draw: (next, window) => {
      drawn = next;
      const { curve, smooth, steps } = next;
      const at = curve.column("step");
      const [min, max] = window ?? [0, Math.max(steps, curve.last, 1)];
      loss.batch(() => {
        loss.setData([at, curve.column("loss"), smooth], false);
        loss.setScale("x", { min, max });
      });
      lr.batch(() => {
        lr.setData([at, curve.column("lr")], false);
        lr.setScale("x", { min, max });
      });
    },
    resize: (width) => {
      loss.setSize({ width, height: LOSS_PX });
      lr.setSize({ width, height: LR_PX });
    },
    recolour: () => {
      loss.redraw(false);
      lr.redraw(false);
    },
    destroy: () => {
      loss.destroy();
      lr.destroy();
    },
  };
}
