/** What few need, folded, with its gist in sight. Who shows it knows whether it is open. */
import { IconChevronRight } from "@tabler/icons-react";
import { type ReactNode, useId } from "react";
import classes from "./Fold.module.css";

type Props = { title: string; summary: string; open: boolean; onToggle: () => void; children: ReactNode };

export function Fold({ title, summary, open, onToggle, children }: Props) {
  const id = useId();
  return (
    <div>
      <button
        type="button"
        className={classes.fold}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={onToggle}
      >
        <IconChevronRight size={16} aria-hidden className={classes.chevron} />
        <span className={classes.title}>{title}</span>
        <span className={classes.summary}>{summary}</span>
      </button>
      {open ? (
        <div id={id} className={classes.body}>
          {children}
        </div>
      ) : null}
    </div>
  );
}
