/** A text with what another one has not marked; with `removals`, also what is gone, struck through. */
import { useMemo } from "react";
import classes from "./DiffText.module.css";
import { wordDiff } from "./wordDiff";

type Props = { before: string; after: string; removals?: boolean };

export function DiffText({ before, after, removals = false }: Props) {
  const parts = useMemo(() => wordDiff(before, after), [before, after]);
  return parts.map(({ kind, text }, index) => {
    const key = `${index}.${text.length}`;
    if (kind === "same") return <span key={key}>{text}</span>;
    if (kind === "added")
      return (
        <ins key={key} className={classes.added}>
          {text}
        </ins>
      );
    return removals ? (
      <del key={key} className={classes.removed}>
        {text}
      </del>
    ) : null;
  });
}
