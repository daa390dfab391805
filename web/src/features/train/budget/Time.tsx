/** How long it will take: measured on request, and whether that was of these settings. */
import type { ProbeAsked } from "@/api/train";
import { duration, number } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import type { Kind } from "../logic/ready";
import { measure, probeKey, stopMeasuring, useProbe } from "../probe";
import { useT } from "../words";
import classes from "./ReadyCard.module.css";
import { Row } from "./Row";

const PHASES = ["queued", "downloading", "loading", "measuring", "working", "saving", "waiting"] as const;

type Props = {
  kind: Kind | "knob";
  /** What would be measured; null: it is not settled yet. */
  asked: ProbeAsked | null;
  can: boolean;
};

export function Time({ kind, asked, can }: Props) {
  const t = useT();
  const { key, run, phase, result, error } = useProbe();
  const mine = asked !== null && key === probeKey(asked);
  if (run !== null && mine)
    return (
      <Row label={t("ready.time")} state="open">
        <span role="status">
          {t(`ready.measuring.${PHASES.find((one) => one === phase?.phase) ?? "measuring"}`)}
        </span>{" "}
        <Button size="small" kind="quiet" onClick={stopMeasuring}>
          {t("ready.stopMeasuring")}
        </Button>
      </Row>
    );
  const button = (
    <Button size="small" disabled={!can} onClick={() => asked && void measure(asked)}>
      {t(result ? "ready.measureAgain" : "ready.measure")}
    </Button>
  );
  return (
    <Row label={t("ready.time")} state={result && mine ? "good" : "open"}>
      {result && mine ? (
        <>
          <strong>{t("ready.measured", { time: duration(result.seconds) })}</strong>
          <span className={classes.quiet}>
            {t(`ready.measuredWords.${kind}`, {
              steps: number(result.steps),
              pace: number(result.tokens_per_s, result.tokens_per_s < 10 ? 1 : 0),
              evaluations: number(result.evaluations),
            })}
          </span>
        </>
      ) : (
        <>
          {button}
          <span className={classes.quiet}>
            {result && can
              ? t("ready.stale")
              : t(asked === null ? `ready.measureNeeds.${kind}` : "ready.measureWords")}
          </span>
        </>
      )}
      {error && mine ? <ErrorNote error={error} compact /> : null}
    </Row>
  );
}
