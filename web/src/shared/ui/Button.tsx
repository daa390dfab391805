/** A button: primary (one a screen), plain, quiet (a word that can be pressed), danger. */
import type { ComponentProps } from "react";
import classes from "./Button.module.css";

type Kind = "primary" | "plain" | "quiet" | "danger";

type Props = ComponentProps<"button"> & { kind?: Kind; size?: "small" | "medium"; busy?: boolean };

export function Button({
  kind = "plain",
  size = "medium",
  busy,
  className,
  children,
  disabled,
  ...rest
}: Props) {
  return (
    <button
      type="button"
      className={[classes.button, classes[kind], size === "small" && classes.small, className]
        .filter(Boolean)
        .join(" ")}
      aria-busy={busy || undefined}
      disabled={disabled || busy}
      {...rest}
    >
      {children}
    </button>
  );
}

/** An icon alone: `label` is what it is called. */
export function IconButton({
  label,
  className,
  children,
  ...rest
}: ComponentProps<"button"> & { label: string }) {
  return (
    <button
      type="button"
      className={[classes.button, classes.quiet, classes.icon, className].filter(Boolean).join(" ")}
      aria-label={label}
      {...rest}
    >
      {children}
    </button>
  );
}
