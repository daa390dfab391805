/** A text with what another one has not marked; with `removals`, also what is gone, struck through. */
import { diffWordsWithSpace } from "diff";
import { useMemo } from "react";
import classes from "./DiffText.module.css";

type Props = { before: string; after: string; removals?: boolean };

export function DiffText({ before, after, removals = false }: Props) {
  const parts = useMemo(() => diffWordsWithSpace(before, after, { timeout: 200 }), [before, after]);
  if (!parts) return after; // too far apart to be told in time
  return parts.map(({ value, added, removed }, index) => {
    const key = `${index}.${value.length}`;
    if (added)
      return (
        <ins key={key} className={classes.added}>
          {value}
        </ins>
      );
    if (removed)
      return removals ? (
        <del key={key} className={classes.removed}>
          {value}
        </del>
      ) : null;
    return <span key={key}>{value}</span>;
  });
}
