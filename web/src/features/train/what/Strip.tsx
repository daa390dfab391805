/** What the strips of layers and of blocks share: the frame, and the halves that say which parts learn. */
import type { ReactNode } from "react";
import { Help } from "@/shared/ui/Help";
import type { Part } from "../logic/plan";
import classes from "./Strip.module.css";

type Props = { label: string; help: string; said: string; beside: ReactNode; children: ReactNode };

/** `said`: what is chosen; `beside`: another way to choose it. */
export function Strip({ label, help, said, beside, children }: Props) {
  return (
    // biome-ignore lint/a11y/useSemanticElements: what chooses together, under one name
    <div role="group" aria-label={label} className={classes.frame}>
      <div className={classes.head}>
        <span className={classes.label}>
          {label}
          <Help about={label}>{help}</Help>
        </span>
        <span className={classes.said}>{said}</span>
        {beside}
      </div>
      {children}
    </div>
  );
}

/** Above ATTN, below MLP, as in the equalizer. */
export function Halves({ on, parts }: { on: boolean; parts: readonly Part[] }) {
  return (["attn", "mlp"] as const).map((part) => (
    <i
      key={part}
      className={classes.half}
      data-on={(on && parts.includes(part)) || undefined}
      data-part={part}
      aria-hidden="true"
    />
  ));
}
