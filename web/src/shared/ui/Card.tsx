/** A quiet surface. `accent` names the knob whose colour its border bears. */
import type { ComponentProps } from "react";
import classes from "./Card.module.css";

type Props = ComponentProps<"section"> & { accent?: "attn" | "mlp" | "eps" | "delta" | "collapse" };

export function Card({ accent, className, style, ...rest }: Props) {
  return (
    <section
      className={[classes.card, className].filter(Boolean).join(" ")}
      style={accent ? { borderColor: `var(--${accent})`, ...style } : style}
      {...rest}
    />
  );
}
