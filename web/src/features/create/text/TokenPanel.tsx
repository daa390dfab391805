/** One place in the answers: what each model found likeliest there. Knows both lanes' views. */
import { IconX } from "@tabler/icons-react";
import { IconButton } from "@/shared/ui/Button";
import { firstDifference } from "../logic/diff";
import type { LaneView } from "../logic/lanes";
import { useWords } from "../messages";
import classes from "./TokenPanel.module.css";

type Props = { token: number; base: LaneView; tuned: LaneView; onClose: () => void };

/** What a token's text looks like where spaces and line ends matter. */
const visible = (text: string): string => text.replaceAll("\n", "↵").trim() || (text === "" ? "∅" : "␣");

export function TokenPanel({ token, base, tuned, onClose }: Props) {
  const t = useWords();
  const change = firstDifference(base.ids, tuned.ids);
  const text = tuned.texts[token] ?? base.texts[token] ?? "";
  return (
    <section className={classes.panel} aria-live="polite" aria-label={t("token.title", { n: token + 1 })}>
      <header className={classes.head}>
        <strong>“{text.trim() || visible(text)}”</strong>
        <span>
          {t("token.title", { n: token + 1 })} · {t("token.intro")}
        </span>
        <IconButton label={t("token.close")} onClick={onClose}>
          <IconX size={16} aria-hidden />
        </IconButton>
      </header>
      <div className={classes.lanes}>
        <Candidates kind="base" title={t("lanes.base")} lane={base} token={token} />
        <Candidates kind="tuned" title={t("lanes.tuned")} lane={tuned} token={token} />
      </div>
      {change !== null && token > change ? <p className={classes.note}>{t("token.diverged")}</p> : null}
    </section>
  );
}

function Candidates({
  kind,
  title,
  lane,
  token,
}: {
  kind: string;
  title: string;
  lane: LaneView;
  token: number;
}) {
  const t = useWords();
  const id = lane.ids[token];
  const top = lane.top[token];
  return (
    <div>
      <h4>{title}</h4>
      {id === undefined ? (
        <p className={classes.note}>{t("token.none")}</p>
      ) : !top || top.length === 0 ? (
        <p className={classes.note}>{t("token.noTop")}</p>
      ) : (
        <ol className={classes.bars} data-kind={kind}>
          {top.map((candidate) => (
            <li key={candidate.id} data-chosen={candidate.id === id || undefined}>
              <span className={classes.word}>
                {candidate.text.startsWith(" ") ? <span className={classes.space}>·</span> : null}
                {visible(candidate.text)}
                {candidate.id === id ? <span className="visually-hidden"> ({t("token.chosen")})</span> : null}
              </span>
              <span className={classes.track} aria-hidden="true">
                <span style={{ width: `${Math.max(0.6, candidate.p * 100)}%` }} />
              </span>
              <span className={classes.p}>{candidate.p < 0.001 ? "<0.001" : candidate.p.toFixed(3)}</span>
            </li>
          ))}
        </ol>
      )}
    </div>
  );
}
