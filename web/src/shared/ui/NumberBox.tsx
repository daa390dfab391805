/** A number to type: taken when it is left or Enter is pressed; out of range it says so and keeps the old value.
 *  Knows limits, no setting. */
import { useState } from "react";
import { clamp, parseTyped, round4, type Scale } from "../typed";
import classes from "./NumberBox.module.css";
import { useUiT } from "./words";

type Props = {
  label: string;
  value: number;
  limits: Scale;
  step?: number;
  big?: boolean;
  wide?: boolean;
  whole?: boolean;
  format?: (value: number) => string;
  round?: (value: number) => number;
  onChange: (value: number) => void;
};

export function NumberBox({
  label,
  value,
  limits,
  step = 0.05,
  big,
  wide,
  whole,
  format = String,
  round = round4,
  onChange,
}: Props) {
  const t = useUiT();
  const [typed, setTyped] = useState<string | null>(null);
  const parsed = typed === null ? null : parseTyped(typed, limits);
  const next = parsed === null || (whole && !Number.isInteger(parsed)) ? null : round(parsed);
  const wrong = typed !== null && next === null;
  const take = () => {
    if (next !== null && next !== value) onChange(next);
    setTyped(null);
  };
  return (
    <input
      className={classes.box}
      data-big={big || undefined}
      data-wide={wide || undefined}
      type="text"
      inputMode="decimal"
      autoComplete="off"
      aria-label={label}
      aria-invalid={wrong || undefined}
      title={wrong ? t("outOfRange", { min: limits.min, max: limits.max }) : undefined}
      value={typed ?? format(value)}
      onChange={(event) => setTyped(event.target.value)}
      onFocus={(event) => event.target.select()}
      onBlur={take}
      onKeyDown={(event) => {
        if (event.nativeEvent.isComposing) return;
        if (event.key === "Enter" && !event.ctrlKey && !event.metaKey) take();
        if (event.key === "Escape") setTyped(null);
        if (event.key !== "ArrowUp" && event.key !== "ArrowDown") return;
        event.preventDefault();
        const move = event.key === "ArrowUp" ? step : -step;
        setTyped(null);
        onChange(clamp(round(value + move), limits.min, limits.max));
      }}
    />
  );
}
