/** The strip of running work at the bottom of every screen: what, where it is, how long still, cancel. */
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { cancelRun } from "@/api/runs";
import { bytes, duration, number } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { remainingSeconds, useActivity, type Work, watchActivity } from "./activity";
import classes from "./Strip.module.css";
import { phaseWord, useT } from "./words";

const QUIET_MS = 900; // an answer quicker than this needs no strip

export function Strip({ onShow }: { onShow: (run: string | null) => void }) {
  const t = useT();
  const works = useActivity((state) => state.works);
  const now = useTick(works.size > 0);
  const cancel = useMutation({ mutationFn: cancelRun });
  useEffect(watchActivity, []);

  const shown = [...works.values()]
    .filter((work) => now - work.seen > QUIET_MS)
    .sort((a, b) => Number(b.state === "running") - Number(a.state === "running") || a.seen - b.seen);
  const [first] = shown;
  if (!first) return null;
  return (
    <section className={classes.strip} aria-label={t("label")}>
      <span className={classes.dot} data-state={first.state} aria-hidden />
      <button type="button" className={classes.name} onClick={() => onShow(first.id)}>
        {first.name}
      </button>
      <Progress work={first} now={now} />
      <span className={classes.actions}>
        <Button kind="quiet" size="small" className={classes.show} onClick={() => onShow(first.id)}>
          {t("show")}
        </Button>
        <Button kind="quiet" size="small" busy={cancel.isPending} onClick={() => cancel.mutate(first.id)}>
          {t("cancel")}
        </Button>
        {shown.length > 1 ? (
          <Button kind="quiet" size="small" onClick={() => onShow(null)}>
            {t("more", { count: shown.length - 1 })}
          </Button>
        ) : null}
      </span>
      {cancel.error ? <ErrorNote error={cancel.error} compact /> : null}
    </section>
  );
}

function Progress({ work, now }: { work: Work; now: number }) {
  const t = useT();
  const { phase } = work;
  const words: string[] = [];
  if (work.state === "queued") {
    words.push(t("queued"));
    if (work.position !== null)
      words.push(work.position === 0 ? t("queued_first") : t("queued_at", { count: work.position }));
  } else if (phase) {
    words.push(t(phaseWord(phase.phase, phase.unit)));
    const amount = phase.unit === "bytes" ? bytes : number;
    if (phase.total) words.push(t("of", { done: amount(phase.done), total: amount(phase.total) }));
    else if (phase.done > 0) words.push(amount(phase.done));
    const left = remainingSeconds(phase, now);
    if (left !== null && left > 1) words.push(t("left", { time: duration(left) }));
  } else words.push(t("working"));
  if (work.attempt > 1) words.push(t("attempt", { n: work.attempt }));
  const share = phase?.total ? phase.done / phase.total : null;
  return (
    <>
      <span className={classes.words}>{words.join(" · ")}</span>
      {share === null ? null : (
        <progress
          className={classes.bar}
          value={share}
          aria-label={t(phaseWord(phase?.phase, phase?.unit))}
        />
      )}
    </>
  );
}

/** The time, twice a second while anything runs. */
function useTick(on: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!on) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [on]);
  return now;
}
