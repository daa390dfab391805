/** Ten thousand rows as if they were thirty: only those in sight are in the page; the next ones are fetched on the way. */
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useLayoutEffect, useRef, useState } from "react";
import type { RunSummary } from "@/api/types";
import classes from "./RunList.module.css";
import { RunRow } from "./RunRow";
import { useT } from "./words";

const ROW_PX = 64;
const NARROW_ROW_PX = 132;

type Props = {
  runs: readonly RunSummary[];
  total: number;
  open: string | undefined;
  base: string | undefined;
  onOpen: (run: string) => void;
  onEnd: () => void;
  loadingMore: boolean;
};

export function RunList({ runs, total, open, base, onOpen, onEnd, loadingMore }: Props) {
  const t = useT();
  const list = useRef<HTMLUListElement>(null);
  const [top, setTop] = useState(0);
  const narrow = useNarrow();
  useLayoutEffect(() => setTop(list.current?.offsetTop ?? 0), []);
  const rows = useWindowVirtualizer({
    count: runs.length,
    estimateSize: () => (narrow ? NARROW_ROW_PX : ROW_PX),
    overscan: 12,
    scrollMargin: top,
    getItemKey: (index) => runs[index]?.id ?? index,
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another row height is another layout
  useEffect(() => rows.measure(), [narrow]);
  const shown = rows.getVirtualItems();
  const last = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (last >= runs.length - 20) onEnd();
  }, [last, runs.length, onEnd]);
  return (
    <>
      <ul ref={list} className={classes.list} aria-label={t("list")} style={{ height: rows.getTotalSize() }}>
        {shown.map(({ index, start, size, key }) => {
          const run = runs[index];
          return run ? (
            <li
              key={key}
              aria-setsize={total}
              aria-posinset={index + 1}
              style={{ height: size, transform: `translateY(${start - top}px)` }}
            >
              <RunRow run={run} open={run.id === open} base={run.id === base} onOpen={onOpen} />
            </li>
          ) : null;
        })}
      </ul>
      <p className={classes.more} role="status">
        {loadingMore ? t("more") : ""}
      </p>
    </>
  );
}

function useNarrow(): boolean {
  const query = "(max-width: 900px)";
  const [narrow, setNarrow] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const media = window.matchMedia(query);
    const onChange = () => setNarrow(media.matches);
    media.addEventListener("change", onChange);
    return () => media.removeEventListener("change", onChange);
  }, []);
  return narrow;
}
