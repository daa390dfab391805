/** The equalizer drawn: ATTN above, MLP below, a bar a layer and a curve through them; drawn by dragging, turned by
 *  keys. Knows the draft's bands (the gains' or one delta's), no model. One path a part, so that a drag costs one small rendering a frame. */
import { type KeyboardEvent, type PointerEvent, useLayoutEffect, useRef, useState } from "react";
import {
  curvePath,
  DRAWN_MAX,
  gainAt,
  grouped,
  groupsOf,
  paint,
  type Stroke,
  strokeBetween,
  yOf,
} from "../logic/curve";
import {
  type BandsOf,
  bandHere,
  beginGesture,
  endGesture,
  fillBandHere,
  setBandHere,
  useDraft,
} from "../logic/draft";
import { valueByKey } from "../logic/knob";
import { formatGain } from "../logic/recipe";
import { sectionsOf } from "../logic/sections";
import { useWords } from "../messages";
import classes from "./BandChart.module.css";
import { useBandName } from "./bandName";

const PARTS = ["attn", "mlp"] as const;
type Part = (typeof PARTS)[number];
const QUIETLY: FocusOptions & { focusVisible: boolean } = { preventScroll: true, focusVisible: false };
const LEFT = 46;
const RIGHT = 8;
const LANE = 92;
const GAP = 14;
const AXIS = 20;
const HEIGHT = 2 * LANE + GAP + AXIS + 8;
const TWICE_MS = 350; // two presses on a layer: neutral, and whatever the first one moved goes back
const laneOf = (part: Part) => ({ top: 4 + (part === "attn" ? 0 : LANE + GAP), height: LANE });

type Props = {
  names: readonly string[];
  of: BandsOf;
  linked: boolean;
  selected: number;
  onSelect: (layer: number) => void;
};

export function BandChart({ names, of, linked, selected, onSelect }: Props) {
  const t = useWords();
  const bandName = useBandName(names);
  const layers = names.length;
  const sections = sectionsOf(names);
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(560);
  const recipe = useDraft((draft) => draft.recipe);
  const muted = useDraft((draft) => draft.muted);
  const soloed = useDraft((draft) => draft.soloed);
  const drag = useRef<{ part: Part; start: number[]; painted: Map<number, number>; last: Stroke } | null>(
    null,
  );

  const press = useRef<{ part: Part; index: number; at: number; start: number[] } | null>(null);

  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setWidth(Math.max(240, element.clientWidth));
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    return () => observer.disconnect();
  }, []);

  const groups = groupsOf(layers);
  const cell = (width - LEFT - RIGHT) / groups.length;
  const xOf = (index: number) => LEFT + (index + 0.5) * cell;
  const current = Math.max(
    0,
    groups.findIndex(({ from, to }) => from <= selected && selected <= to),
  );
  const nameOf = (index: number) => {
    const { from, to } = groups[index] ?? { from: 0, to: 0 };
    return from === to ? bandName(from) : t("eq.layers", { from: names[from], to: names[to] });
  };

  const strokeAt = (event: PointerEvent, part: Part): Stroke => {
    const rect = box.current?.getBoundingClientRect();
    const x = event.clientX - (rect?.left ?? 0);
    const y = event.clientY - (rect?.top ?? 0);
    const index = Math.min(groups.length - 1, Math.max(0, Math.floor((x - LEFT) / cell)));
    return { index, value: gainAt(y, laneOf(part), event.shiftKey) };
  };
  const apply = (strokes: Stroke[]) => {
    const now = drag.current;
    if (!now) return;
    for (const { index, value } of strokes) now.painted.set(index, value);
    const perGroup = paint(grouped(now.start, groups), now.painted, linked);
    const moved = perGroup.map((v, i) => (linked || now.painted.has(i) ? v : null));
    const band = now.start.map((v, layer) => {
      const index = groups.findIndex(({ from, to }) => from <= layer && layer <= to);
      const group = moved[index];
      return group === null || group === undefined || group === grouped(now.start, groups)[index] ? v : group;
    });
    setBandHere(of, now.part, band);
  };
  const onPointerDown = (part: Part) => (event: PointerEvent<SVGRectElement>) => {
    if (event.button !== 0) return;
    event.currentTarget.setPointerCapture(event.pointerId);
    event.currentTarget.focus(QUIETLY);
    event.preventDefault();
    beginGesture();
    const stroke = strokeAt(event, part);
    onSelect(groups[stroke.index]?.from ?? 0);
    const before = press.current;
    const twice =
      before?.part === part && before.index === stroke.index && event.timeStamp - before.at < TWICE_MS;
    if (before && twice) {
      press.current = null;
      setBandHere(of, part, before.start);
      setGroup(part, stroke.index, 1);
      return;
    }
    const start = bandHere(recipe, of, part, layers);
    press.current = { part, index: stroke.index, at: event.timeStamp, start };
    drag.current = { part, start, painted: new Map(), last: stroke };
    apply([stroke]);
  };
  const onPointerMove = (part: Part) => (event: PointerEvent<SVGRectElement>) => {
    const now = drag.current;
    if (!now) return;
    const stroke = strokeAt(event, part);
    if (stroke.index === now.last.index && stroke.value === now.last.value) return;
    apply(strokeBetween(now.last, stroke));
    now.last = stroke;
    onSelect(groups[stroke.index]?.from ?? 0);
  };
  const release = () => {
    drag.current = null;
    endGesture();
  };
  const setGroup = (part: Part, index: number, value: number) => {
    const group = groups[index];
    if (group) fillBandHere(of, part, layers, [group.from, group.to], value);
  };
  const onKeyDown = (part: Part) => (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -groups.length, End: groups.length }[event.key];
    if (step !== undefined) {
      event.preventDefault();
      onSelect(groups[Math.min(groups.length - 1, Math.max(0, current + step))]?.from ?? 0);
      return;
    }
    const shown = grouped(bandHere(recipe, of, part, layers), groups)[current] ?? 1;
    const next = valueByKey(event.key, shown, { min: 0, max: DRAWN_MAX }, event.shiftKey);
    if (next === null && event.key !== "Delete" && event.key !== "Backspace") return;
    event.preventDefault();
    beginGesture();
    setGroup(part, current, next ?? 1);
  };

  const every = Math.max(1, Math.ceil(groups.length / Math.max(4, Math.floor(width / 80))));
  return (
    <div ref={box} className={classes.chart} data-delta={of !== null || undefined}>
      {/* biome-ignore lint/a11y/noSvgWithoutTitle: its parts bear names; a title would be a tooltip over all of it */}
      <svg width={width} height={HEIGHT}>
        <rect
          className={classes.chosen}
          x={LEFT + current * cell}
          y={2}
          width={cell}
          height={HEIGHT - AXIS - 2}
          rx={4}
        />
        {sections.map(({ name, from, to }) => {
          const first = groups.findIndex((group) => group.from <= from && from <= group.to);
          const last = groups.findIndex((group) => group.from <= to && to <= group.to);
          const [x, end] = [LEFT + first * cell, LEFT + (last + 1) * cell];
          return (
            <g key={from}>
              {first > 0 ? <line className={classes.section} x1={x} x2={x} y1={2} y2={HEIGHT - 2} /> : null}
              <text className={classes.axis} x={(x + end) / 2} y={HEIGHT - 5}>
                {name}
              </text>
            </g>
          );
        })}
        {PARTS.map((part) => {
          const lane = laneOf(part);
          const values = grouped(bandHere(recipe, of, part, layers), groups);
          const bars = values
            .map((v, i) => {
              const y = yOf(v, lane);
              const zero = yOf(1, lane);
              const x = LEFT + i * cell + cell * 0.14;
              const w = cell * 0.72;
              return v === 1
                ? ""
                : `M${x.toFixed(1)} ${zero}h${w.toFixed(1)}V${y.toFixed(1)}h-${w.toFixed(1)}Z`;
            })
            .join("");
          const shown = values[current] ?? 1;
          return (
            <g key={part} data-knob={part} className={classes.part}>
              <rect
                className={classes.ground}
                x={LEFT}
                y={lane.top}
                width={width - LEFT - RIGHT}
                height={lane.height}
                rx={6}
              />
              <line
                className={classes.neutral}
                x1={LEFT}
                x2={width - RIGHT}
                y1={yOf(1, lane)}
                y2={yOf(1, lane)}
              />
              <path className={classes.bars} d={bars} />
              <path
                className={classes.line}
                d={curvePath(values.map((v, i) => ({ x: xOf(i), y: yOf(v, lane) })))}
              />
              <circle className={classes.handle} cx={xOf(current)} cy={yOf(shown, lane)} r={5.5} />
              <text className={classes.name} x={0} y={yOf(1, lane) + 4}>
                {part.toUpperCase()}
              </text>
              <text className={classes.tick} x={LEFT - 6} y={lane.top + 9}>
                2
              </text>
              <text className={classes.tick} x={LEFT - 6} y={lane.top + lane.height - 1}>
                0
              </text>
              <rect
                className={classes.hit}
                data-part={part}
                x={LEFT}
                y={lane.top}
                width={width - LEFT - RIGHT}
                height={lane.height}
                rx={6}
                role="slider"
                tabIndex={0}
                aria-label={t("eq.band", { name: part.toUpperCase(), layer: nameOf(current) })}
                aria-orientation="vertical"
                aria-valuemin={0}
                aria-valuemax={Math.max(DRAWN_MAX, shown)}
                aria-valuenow={shown}
                aria-valuetext={`${nameOf(current)}: ${formatGain(shown)}`}
                onPointerDown={onPointerDown(part)}
                onPointerMove={onPointerMove(part)}
                onPointerUp={release}
                onPointerCancel={release}
                onLostPointerCapture={release}
                onKeyDown={onKeyDown(part)}
                onKeyUp={endGesture}
                onBlur={endGesture}
              />
            </g>
          );
        })}
        {groups.map(({ from, to }, i) => {
          const off = muted.includes(from);
          const solo = soloed.includes(from);
          const label = sections.length === 0 && (i % every === 0 || i === groups.length - 1);
          const shown = sections.length > 0 && !off && !solo;
          if (shown) return null; // the stretch is named instead
          if (!label && !off && !solo && i !== current) return null;
          return (
            <text
              key={from}
              className={classes.axis}
              data-state={off ? "muted" : solo ? "solo" : i === current ? "chosen" : undefined}
              x={xOf(i)}
              y={HEIGHT - 5}
            >
              {off ? "M" : solo ? "S" : names[i === groups.length - 1 ? to : from]}
            </text>
          );
        })}
      </svg>
    </div>
  );
}
