/** One thing to be settled before it starts: its state is an icon and a sentence. */
import { IconAlertTriangle, IconCircleCheck, IconCircleDashed } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./ReadyCard.module.css";

const ICONS = { good: IconCircleCheck, wrong: IconAlertTriangle, open: IconCircleDashed } as const;

export function Row({
  label,
  state,
  children,
}: {
  label: string;
  state: keyof typeof ICONS;
  children: ReactNode;
}) {
  const Icon = ICONS[state];
  return (
    <div className={classes.row} data-state={state}>
      <dt>
        <Icon size={18} aria-hidden />
        {label}
      </dt>
      <dd>{children}</dd>
    </div>
  );
}
