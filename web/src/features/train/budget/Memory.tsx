/** What the plan needs of the memory, what there is, and what would fit instead. Knows an estimate. */
import type { Estimate, PlanJson } from "@/api/train";
import { bytes } from "@/shared/i18n/format";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Help } from "@/shared/ui/Help";
import { Offer } from "../ui/Offer";
import { useT } from "../words";
import classes from "./ReadyCard.module.css";
import { Row } from "./Row";

const SHARES = ["weights", "optimizer", "gradients", "activations", "working"] as const;
const TIGHT = 0.85; // of what is free

export type Told = { data: Estimate | null; busy: boolean; error: unknown; retry: () => void };
type Props = Told & { onTake: (change: PlanJson) => void };

export function Memory({ data, busy, error, retry, onTake }: Props) {
  const t = useT();
  if (error)
    return (
      <Row label={t("ready.memory")} state="open">
        <ErrorNote error={error} onRetry={retry} compact />
      </Row>
    );
  if (data === null)
    return (
      <Row label={t("ready.memory")} state="open">
        {busy ? (
          <span role="status">
            {t("ready.estimating")} <span className={classes.quiet}>{t("ready.estimateFirst")}</span>
          </span>
        ) : (
          "–"
        )}
      </Row>
    );
  const { memory, have, fits, device, change } = data;
  const words = { need: bytes(memory.together), have: bytes(have) };
  const state = fits ? (memory.together > have * TIGHT ? "tight" : "fits") : "fitsNot";
  const whole = Math.max(have, memory.together, 1);
  const parts = SHARES.reduce((sum, share) => sum + memory[share], 0) || 1;
  return (
    <Row label={t("ready.memory")} state={fits ? "good" : "wrong"}>
      <span data-old={busy || undefined}>
        {t(`ready.${state}`, words)}
        {device === "cuda" ? <span className={classes.quiet}> {t("ready.gpu")}</span> : null}
      </span>
      <span className={classes.bar} aria-hidden="true">
        <span className={classes.need} style={{ width: `${(memory.together / whole) * 100}%` }}>
          {SHARES.map((share) => (
            <i key={share} data-share={share} style={{ width: `${(memory[share] / parts) * 100}%` }} />
          ))}
        </span>
        {fits ? null : <span className={classes.edge} style={{ left: `${(have / whole) * 100}%` }} />}
      </span>
      <ul className={classes.shares}>
        {SHARES.filter((share) => memory[share] > 0).map((share) => (
          <li key={share}>
            <i data-share={share} aria-hidden="true" />
            {t(`ready.shares.${share}`)} {bytes(memory[share])}
          </li>
        ))}
        <li>
          <Help about={t("ready.memory")}>{t("ready.sharesHelp")}</Help>
        </li>
      </ul>
      {fits ? null : change === null ? (
        <p>{t("ready.noOffer")}</p>
      ) : (
        <Offer
          title={t("ready.offer")}
          action={t("offer.take")}
          change={change}
          onTake={() => onTake(change)}
        />
      )}
    </Row>
  );
}
