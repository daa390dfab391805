/** Where the asked-for answer is, in words with real counts; what went wrong, with its remedy. Knows lanes' state. */
import { useEffect, useState } from "react";
import type { Card } from "@/api/types";
import { ImfineError } from "@/shared/errors";
import { bytes, languageName, number } from "@/shared/i18n/format";
import { useChosenModel } from "@/shared/store/model";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import type { LanesState, Notice } from "../logic/lanes";
import { useWords } from "../messages";
import { ask, useLanes } from "../studio";
import classes from "./Status.module.css";

const PHASES = ["downloading", "loading", "working", "measuring", "saving", "waiting"] as const;

export function Phase({ state }: { state: LanesState }) {
  const t = useWords();
  const { phase, position } = state;
  const told = phaseOf(state);
  const shown = useLater(told !== null, state.move);
  if (!told || !shown) return null;
  const of =
    told !== "queued" && phase && phase.done > 0
      ? phase.total === null
        ? count(phase.done, phase.unit)
        : t("phase.of", { done: count(phase.done, phase.unit), total: count(phase.total, phase.unit) })
      : null;
  const share = phase && told !== "queued" && phase.total ? Math.min(1, phase.done / phase.total) : null;
  const words =
    told === "queued"
      ? position === null
        ? t("phase.queued")
        : position === 0
          ? t("phase.next")
          : t("phase.queuedAt", { count: position })
      : t(phase?.unit === "steps" ? "phase.drawing" : `phase.${told}`);
  return (
    <div className={classes.phase}>
      <span className={classes.pulse} aria-hidden="true" />
      <span>
        {words}
        {of ? ` · ${of}` : null}
      </span>
      {share !== null ? (
        <span
          className={classes.bar}
          role="progressbar"
          aria-label={words}
          aria-valuemin={0}
          aria-valuemax={100}
          aria-valuenow={Math.round(share * 100)}
        >
          <span style={{ width: `${share * 100}%` }} />
        </span>
      ) : null}
    </div>
  );
}

const PATIENCE_MS = 300;

/** True when it has been on for a while since the last move: what an answer at once passes through is no news, and every
 *  word drawn takes time from the model on the same processor. */
function useLater(on: boolean, move: number): boolean {
  const [late, setLate] = useState<number | null>(null);
  useEffect(() => {
    if (!on) return;
    const timer = setTimeout(() => setLate(move), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [on, move]);
  return late === move;
}

function phaseOf({ state, phase }: LanesState): (typeof PHASES)[number] | "asking" | "queued" | null {
  if (state === "asking") return "asking";
  if (state === "queued") return "queued";
  if (state !== "running") return null;
  return PHASES.find((one) => one === phase?.phase) ?? "working";
}

const count = (value: number, unit: string): string => (unit === "bytes" ? bytes(value) : number(value));

export function Failure() {
  const error = useLanes((lanes) => (lanes.state === "failed" ? lanes.error : null));
  return error ? <ErrorNote error={new ImfineError(error, 400)} onRetry={ask} /> : null;
}

export function Notices({ models }: { models: readonly Card[] }) {
  const notices = useLanes((lanes) => lanes.notices);
  return notices.map((notice) => <OneNotice key={notice.code} notice={notice} models={models} />);
}

function OneNotice({ notice, models }: { notice: Notice; models: readonly Card[] }) {
  const t = useWords();
  const { code, message, params } = notice;
  if (code === "language") {
    const { offer } = params;
    const languages = Array.isArray(params.languages)
      ? params.languages.map(String).map(languageName).join(", ")
      : "";
    const model = typeof params.model === "string" ? nameOf(params.model, models) : "";
    return (
      <div className={classes.notice} role="status">
        <span>{languages && model ? t("notice.language", { model, languages }) : message}</span>
        {typeof offer === "string" ? (
          <Button size="small" onClick={() => useChosenModel.getState().choose(offer)}>
            {t("notice.languageOffer", { model: nameOf(offer, models) })}
          </Button>
        ) : null}
      </div>
    );
  }
  return (
    <div className={classes.notice} role="status">
      {code === "context_overflow" ? t("notice.context", params) : message}
    </div>
  );
}

const nameOf = (id: string, models: readonly Card[]): string =>
  models.find((card) => card.id === id)?.name ?? id.split("/").at(-1) ?? id;
