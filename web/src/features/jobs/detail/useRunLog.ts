/** A run's log as it is written: lines to read and copy, and the lanes' texts so far. A new attempt clears the lanes. */
import { useEffect, useState } from "react";
import type { RunEvent } from "@/api/events";
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

/** Token posts one after the other are one line: a thousand of them would bury the rest. */
export function withLine(lines: readonly string[], event: RunEvent): string[] {
  const line = words(event);
  const last = lines.at(-1);
  if (event.type === "tokens" && last?.startsWith("tokens ")) return [...lines.slice(0, -1), line];
  if (event.type === "phase" && last?.startsWith(`phase  ${event.phase} `))
    return [...lines.slice(0, -1), line];
  return [...lines, line];
}

function words(event: RunEvent): string {
  switch (event.type) {
    case "state": {
      const more = [
        event.worker && `worker ${event.worker}`,
        event.error && `${event.error.code}: ${event.error.message}`,
      ];
      return [`state  ${event.state} · attempt ${event.attempt}`, ...more].filter(Boolean).join(" · ");
    }
    case "phase":
      return `phase  ${event.phase} ${event.done}${event.total === null ? "" : `/${event.total}`} ${event.unit}`;
    case "tokens":
      return `tokens lane ${event.lane} up to ${event.start + event.ids.length}`;
    case "lane_end":
      return `end    lane ${event.lane} · ${event.finish_reason} · ${event.tokens} tokens · ${event.tokens_per_s.toFixed(1)}/s · first after ${Math.round(event.first_token_ms)} ms`;
    case "measures":
      return `measure lane ${event.lane} · expected ${event.expected_by_original?.toFixed(3) ?? "–"} · repetition ${event.repetition?.toFixed(2) ?? "–"} · first change ${event.first_change ?? "none"}`;
    case "preview":
      return `draw   lane ${event.lane} · picture ${event.index + 1} · step ${event.step}/${event.steps}`;
    case "picture":
      return `picture lane ${event.lane} · ${event.index + 1} · ${event.width}×${event.height} · seed ${event.seed} · ${event.sha256.slice(0, 12)}`;
    case "picture_measures":
      return `measure lane ${event.lane} · picture ${event.index + 1} · ssim ${event.ssim?.toFixed(3) ?? "–"} · difference ${event.difference?.toFixed(3) ?? "–"}`;
    case "notice":
      return `notice ${event.code} · ${event.message}`;
    case "restart":
      return `restart attempt ${event.attempt} from ${event.from}`;
    case "result":
      return `result ${event.model} · ${event.dtype} on ${event.device} · seed ${event.seed}`;
    default: // of training
      return event.type;
  }
}
