/** Which layers learn: a strip to drag over, two numbers for the keyboard. Upper half ATTN, lower half MLP, as in the
 *  equalizer. Knows a range, no plan. */
import { useRef } from "react";
import { Button } from "@/shared/ui/Button";
import { NumberBox } from "@/shared/ui/NumberBox";
import type { Part } from "../logic/plan";
import { useT } from "../words";
import classes from "./LayerStrip.module.css";
import { Halves, Strip } from "./Strip";

type Props = {
  count: number;
  range: [number, number];
  parts: readonly Part[];
  onChange: (range: [number, number] | null) => void;
};

export function LayerStrip({ count, range, parts, onChange }: Props) {
  const t = useT();
  const strip = useRef<HTMLDivElement>(null);
  const anchor = useRef<number | null>(null);
  const [from, to] = range;
  const all = from === 0 && to === count - 1;
  const set = (a: number, b: number) => {
    const [low, high] = a < b ? [a, b] : [b, a];
    onChange(low === 0 && high === count - 1 ? null : [low, high]);
  };
  const layerAt = (x: number): number => {
    const box = strip.current?.getBoundingClientRect();
    if (!box || box.width === 0) return 0;
    return Math.min(count - 1, Math.max(0, Math.floor(((x - box.left) / box.width) * count)));
  };
  const limits = { min: 0, max: count - 1 };
  return (
    <Strip
      label={t("what.layers")}
      help={t("what.layersHelp")}
      said={all ? t("what.layersAll", { count }) : t("what.layersSome", { from, to, count })}
      beside={
        <span className={classes.numbers}>
          <NumberBox
            label={t("what.layerFrom")}
            value={from}
            limits={limits}
            step={1}
            whole
            onChange={(value) => set(value, Math.max(value, to))}
          />
          <span aria-hidden="true">–</span>
          <NumberBox
            label={t("what.layerTo")}
            value={to}
            limits={limits}
            step={1}
            whole
            onChange={(value) => set(Math.min(from, value), value)}
          />
        </span>
      }
    >
      <div
        ref={strip}
        className={classes.strip}
        aria-hidden="true"
        onPointerDown={(event) => {
          if (event.button !== 0) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          anchor.current = layerAt(event.clientX);
          set(anchor.current, anchor.current);
        }}
        onPointerMove={(event) => {
          if (anchor.current !== null) set(anchor.current, layerAt(event.clientX));
        }}
        onPointerUp={() => {
          anchor.current = null;
        }}
        onPointerCancel={() => {
          anchor.current = null;
        }}
      >
        {Array.from({ length: count }, (_, layer) => layer).map((layer) => {
          const on = layer >= from && layer <= to;
          return (
            <span key={layer} className={classes.layer}>
              <Halves on={on} parts={parts} />
            </span>
          );
        })}
      </div>
      {all ? null : (
        <Button kind="quiet" size="small" className={classes.all} onClick={() => onChange(null)}>
          {t("what.takeAll")}
        </Button>
      )}
    </Strip>
  );
}
