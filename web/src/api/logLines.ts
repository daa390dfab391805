/** A run's events as lines of a log, to read and to copy. Knows events, no screen. */
import type { RunEvent } from "./events";

const GATHERED = ["tokens", "train_steps"]; // a thousand of them would bury the rest

/** What comes bit by bit is one line that grows. */
export function withLine(lines: readonly string[], event: RunEvent): string[] {
  const line = words(event);
  const last = lines.at(-1);
  if (GATHERED.includes(event.type) && last?.split(" ", 1)[0] === line.split(" ", 1)[0])
    return [...lines.slice(0, -1), line];
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
    case "train_steps":
      return `step   ${event.step.at(-1)}/${event.steps} · loss ${event.loss.at(-1)?.toFixed(4)} · lr ${event.lr.at(-1)?.toExponential(2)} · grad norm ${event.grad_norm.at(-1)?.toFixed(3)} · ${Math.round(event.tokens_per_s)} tokens/s`;
    case "evaluated":
      return `eval   step ${event.step} · loss ${event.loss.toFixed(4)} · perplexity ${event.perplexity?.toFixed(2) ?? "–"} · ${event.tokens} tokens`;
    case "sampled":
      return `sample step ${event.step} · ${event.index + 1} · ${JSON.stringify(event.text)}`;
    case "saved":
      return `saved  step ${event.step}`;
    case "train_result":
      return `result ${event.model} · ${event.reason} · ${event.steps} steps · loss ${event.loss_before?.toFixed(4) ?? "–"} → ${event.loss_after?.toFixed(4) ?? "–"}`;
    case "probe_result":
      return `result ${event.steps} steps at ${event.step_s.toFixed(3)} s · ${event.evaluations} evaluations at ${event.evaluation_s.toFixed(2)} s · ${Math.round(event.seconds)} s in all`;
    case "slider_result":
      return `result ${event.delta} · ${event.steps} steps · loss ${event.loss.toFixed(4)} · ${Math.round(event.seconds)} s`;
    default: // of a server that is newer than this page
      return (event as RunEvent).type;
  }
}
