/** One big slider: pointer, keys, detent at neutral, its own ARIA. Knows a scale and a value, no recipe.
 *  The value is the parent's; it is told of every change at once and never waits for anything. */
import { type KeyboardEvent, type PointerEvent, useRef, useState } from "react";
import type { Scale } from "@/shared/typed";
import { CLASSIC, fractionOf, valueAt, valueByKey } from "../logic/knob";
import type { KnobName } from "../logic/recipe";
import type { Zone } from "../logic/variants";
import classes from "./Slider.module.css";

type Props = {
  label: string;
  describedBy?: string;
  knob: KnobName | "delta";
  value: number;
  scale: Scale;
  neutral: number;
  valueText: string;
  zones: Zone[];
  zoneTitle: (zone: Zone) => string;
  classicLabel?: string;
  onChange: (value: number) => void;
  onGesture: (state: "begin" | "end") => void;
};

const QUIETLY: FocusOptions & { focusVisible: boolean } = { preventScroll: true, focusVisible: false };
const percent = (fraction: number): string => `${fraction * 100}%`;
const GAP = "var(--thumb-half)"; // the thumb's middle stays within the track

export function Slider(props: Props) {
  const { label, describedBy, knob, value, valueText, zones, zoneTitle, classicLabel, onChange, onGesture } =
    props;
  const track = useRef<HTMLDivElement>(null);
  const drag = useRef<{ scale: Scale; grab: number } | null>(null);
  const [dragging, setDragging] = useState(false);
  const scale = drag.current?.scale ?? props.scale; // a scale that widens must not move under the pointer
  const at = fractionOf(value, scale);
  const neutral = fractionOf(props.neutral, scale);

  const fraction = (x: number): { at: number; width: number } => {
    const box = track.current?.getBoundingClientRect();
    return box ? { at: (x - box.left) / box.width, width: box.width } : { at: 0, width: 1 };
  };
  const set = (event: PointerEvent, grab: number, of: Scale) => {
    const { at: x, width } = fraction(event.clientX);
    const next = valueAt(x - grab, of, width, event.shiftKey, props.neutral);
    if (next !== value) onChange(next);
  };
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    const { at: x, width } = fraction(event.clientX);
    const onThumb = Math.abs(x - at) * width <= 16;
    drag.current = { scale, grab: onThumb ? x - at : 0 };
    event.currentTarget.setPointerCapture(event.pointerId);
    event.currentTarget.querySelector<HTMLElement>("[role=slider]")?.focus(QUIETLY);
    event.preventDefault();
    setDragging(true);
    onGesture("begin");
    if (!onThumb) set(event, 0, scale);
  };
  const onPointerMove = (event: PointerEvent<HTMLDivElement>) => {
    if (drag.current) set(event, drag.current.grab, drag.current.scale);
  };
  const release = () => {
    if (!drag.current) return;
    drag.current = null;
    setDragging(false);
    onGesture("end");
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const next = valueByKey(event.key, value, scale, event.shiftKey);
    if (next === null) return;
    event.preventDefault();
    onGesture("begin");
    if (next !== value) onChange(next);
  };

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the pointer's half; keys belong to the thumb
    <div
      className={classes.slider}
      data-knob={knob}
      data-dragging={dragging || undefined}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={release}
      onPointerCancel={release}
      onLostPointerCapture={release}
      onDoubleClick={() => onChange(props.neutral)}
    >
      <div className={classes.rail}>
        {zones.map((zone) => {
          const from = fractionOf(zone.min, scale);
          return (
            <span
              key={`${zone.min}-${zone.max}`}
              className={classes.zone}
              title={zoneTitle(zone)}
              style={{
                left: from === 0 ? 0 : `calc(${GAP} + ${from} * (100% - 2 * ${GAP}))`,
                right:
                  zone.max >= scale.max
                    ? 0
                    : `calc(${GAP} + ${1 - fractionOf(zone.max, scale)} * (100% - 2 * ${GAP}))`,
              }}
            />
          );
        })}
        <div className={classes.inner} ref={track}>
          <span
            className={classes.fill}
            style={{ left: percent(Math.min(at, neutral)), width: percent(Math.abs(at - neutral)) }}
          />
          <span className={classes.neutral} style={{ left: percent(neutral) }} />
          <div
            role="slider"
            tabIndex={0}
            className={classes.thumb}
            style={{ left: percent(at) }}
            aria-label={label}
            aria-describedby={describedBy}
            aria-valuemin={scale.min}
            aria-valuemax={scale.max}
            aria-valuenow={value}
            aria-valuetext={valueText}
            aria-orientation="horizontal"
            onKeyDown={onKeyDown}
            onKeyUp={() => onGesture("end")}
            onBlur={() => onGesture("end")}
          />
        </div>
      </div>
      {classicLabel ? (
        <div className={classes.scale} aria-hidden="true">
          <span className={classes.classic} style={{ width: percent(fractionOf(CLASSIC.max, scale)) }}>
            {classicLabel}
          </span>
        </div>
      ) : null}
    </div>
  );
}
