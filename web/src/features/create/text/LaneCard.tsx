/** One lane: whose it is, its answer, its numbers. Knows a lane's view, not where it came from. */
import { memo, type ReactNode } from "react";
import { number } from "@/shared/i18n/format";
import type { Span } from "../logic/diff";
import type { LaneView } from "../logic/lanes";
import { collapseOf } from "../logic/variants";
import { useWords } from "../messages";
import { useCollapseWords } from "../ui/collapseWords";
import { MeasureList } from "../ui/MeasureList";
import classes from "./LaneCard.module.css";
import { TokenText } from "./TokenText";

type Props = {
  kind: "base" | "tuned";
  lane: LaneView;
  lossRise: number | null;
  title: string;
  busy: boolean;
  spans: readonly Span[];
  chosen: number | null;
  onChoose: (token: number | null) => void;
  tools?: ReactNode;
  children?: ReactNode; // the footer's first line
};

export const LaneCard = memo(function LaneCard({
  kind,
  lane,
  lossRise,
  title,
  busy,
  spans,
  chosen,
  onChoose,
  tools,
  children,
}: Props) {
  const t = useWords();
  const { ids, texts, ended, measures, stale } = lane;
  const streaming = busy && !ended && !stale;
  const collapseWords = useCollapseWords();
  const collapse = collapseOf({ repetition: measures?.repetition ?? null, lossRise, tokens: ids.length });
  const empty = ids.length === 0;
  return (
    <section
      className={classes.lane}
      data-kind={kind}
      data-stale={stale || undefined}
      aria-label={title}
      aria-busy={streaming}
    >
      <header className={classes.head}>
        <h3>
          <span className={classes.mark} aria-hidden="true" />
          {title}
        </h3>
        {tools}
        <span className={classes.count}>
          {empty ? null : t("lanes.tokens", { count: ids.length })}
          {ended
            ? ` · ${t("lanes.speed", { n: number(ended.tokensPerSecond, ended.tokensPerSecond < 10 ? 1 : 0) })}`
            : null}
        </span>
      </header>
      {empty && !streaming ? (
        <p className={classes.empty}>
          {ended ? t("lanes.noAnswer") : t(kind === "base" ? "lanes.empty" : "lanes.emptyTuned")}
        </p>
      ) : (
        <TokenText
          label={t("lanes.groupLabel", { lane: title })}
          help={t("lanes.tokenHelp")}
          texts={texts}
          spans={spans}
          streaming={streaming}
          chosen={chosen}
          onChoose={onChoose}
        />
      )}
      <footer className={classes.foot}>
        {children}
        {collapse && !stale ? (
          <p className={classes.collapse}>
            <span aria-hidden="true" className={classes.hatch} />
            {t("collapse.is", { why: collapseWords(collapse) })}
          </p>
        ) : null}
        {measures && !stale ? <Measures measures={measures} reason={ended?.reason ?? null} /> : null}
      </footer>
    </section>
  );
});

const REASONS = ["stop", "length", "context", "cancelled"] as const;

function Measures({
  measures,
  reason,
}: {
  measures: NonNullable<LaneView["measures"]>;
  reason: string | null;
}) {
  const t = useWords();
  const known = REASONS.find((one) => one === reason);
  const rows = [
    { name: t("lanes.repetition"), help: t("lanes.repetitionHelp"), value: measures.repetition?.toFixed(2) },
    {
      name: t("lanes.expected"),
      help: t("lanes.expectedHelp"),
      value: measures.expected_by_original?.toFixed(2).replace("-", "−"),
    },
    {
      name: t("lanes.reference"),
      help: t("lanes.referenceHelp"),
      value: measures.reference_loss?.toFixed(2),
    },
  ];
  return (
    <>
      <MeasureList measures={rows} />
      {known && known !== "stop" ? <p className={classes.reason}>{t(`lanes.reason.${known}`)}</p> : null}
    </>
  );
}
