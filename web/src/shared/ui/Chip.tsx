/** A word in a pill: a state or a property (span), or something to press (give it onClick). */
import type { ComponentProps, ReactNode } from "react";
import classes from "./Chip.module.css";

export type Tone = "plain" | "attn" | "mlp" | "eps" | "tone" | "style" | "delta" | "collapse";

export function Chip({
  tone = "plain",
  icon,
  children,
}: {
  tone?: Tone;
  icon?: ReactNode;
  children: ReactNode;
}) {
  return (
    <span className={classes.chip} data-tone={tone}>
      {icon}
      {children}
    </span>
  );
}

export function ChipButton({
  pressed,
  className,
  ...rest
}: ComponentProps<"button"> & { pressed?: boolean }) {
  return (
    <button
      type="button"
      className={[classes.chip, classes.press, className].filter(Boolean).join(" ")}
      aria-pressed={pressed}
      {...rest}
    />
  );
}
