/** A run's log as it is written: lines to read and copy, and the lanes' texts so far. A new attempt clears the lanes. */
import { useEffect, useState } from "react";
import { withLine } from "@/api/logLines";
import { followRun } from "@/api/stream/runStream";
import type { ImfineError } from "@/shared/errors";

export type RunLog = { lines: readonly string[]; lanes: readonly string[]; error: ImfineError | null };

const NOTHING: RunLog = { lines: [], lanes: [], error: null };

export function useRunLog(id: string): RunLog {
  const [log, setLog] = useState<RunLog>(NOTHING);
  useEffect(() => {
    let lines: string[] = [];
    let lanes: string[] = [];
    let frame = 0;
    const show = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        setLog((before) => ({ ...before, lines, lanes }));
      });
    };
    const stop = followRun(
      id,
      (event) => {
        if (event.type === "restart") lanes = [];
        if (event.type === "tokens") {
          lanes = [...lanes];
          lanes[event.lane] = (lanes[event.lane] ?? "") + event.texts.join("");
        }
        lines = withLine(lines, event);
        show();
      },
      (error) => setLog((before) => ({ ...before, error })),
    );
    return () => {
      stop();
      cancelAnimationFrame(frame);
      setLog(NOTHING);
    };
  }, [id]);
  return log;
}
