/** Both answers side by side, what differs, what can be done with them. Knows lanes and the draft's words. */
import { useCallback, useMemo, useState } from "react";
import { Button } from "@/shared/ui/Button";
import { changedSpans, type Span } from "../logic/diff";
import { changeOf, isBusy, lossRise, textOf } from "../logic/lanes";
import type { Layout } from "../logic/recipe";
import { useView } from "../logic/view";
import { useWords } from "../messages";
import { useLanes } from "../studio";
import { Checksum } from "../ui/Checksum";
import { Hold } from "../ui/Hold";
import { Phase } from "../ui/Status";
import { useChangeWords } from "./changeWords";
import { LaneCard } from "./LaneCard";
import classes from "./Lanes.module.css";
import { TextShare } from "./TextShare";
import { TokenPanel } from "./TokenPanel";

const NO_SPANS: readonly Span[] = [];

type Props = {
  held: boolean;
  onHold: (held: boolean) => void;
  model: string;
  layout: Pick<Layout, "layers"> | null;
};

export function Lanes({ held, onHold, model, layout }: Props) {
  const state = useLanes();
  const t = useWords();
  const changeWords = useChangeWords();
  const { diff, set } = useView();
  const [token, setToken] = useState<number | null>(null);
  const { base, tuned } = state;
  const busy = isBusy(state);
  const change = changeOf(state);
  const spans = useMemo(() => {
    if (!diff || base.texts.length === 0) return NO_SPANS;
    const original = textOf(base);
    const all = changedSpans(original, textOf(tuned));
    return base.ended ? all : all.filter(({ from }) => from < original.length); // the original is not there yet
  }, [diff, base, tuned]);
  const proof = useMemo(() => <Checksum proof={state.proof} />, [state.proof]);
  const said = change && !held ? changeWords(change) : "";
  const changed = useMemo(() => (said ? <p className={classes.change}>{said}</p> : null), [said]);
  const longest = Math.max(base.ids.length, tuned.ids.length);
  const chosen = token !== null && token < longest ? token : null;
  const choose = useCallback((next: number | null) => setToken(next), []);

  return (
    <div className={classes.answers}>
      <div className={classes.lanes}>
        <LaneCard
          kind="base"
          lane={base}
          lossRise={null}
          title={t("lanes.base")}
          busy={busy}
          spans={NO_SPANS}
          chosen={chosen}
          onChoose={choose}
        >
          {proof}
        </LaneCard>
        <LaneCard
          kind="tuned"
          lossRise={held ? null : lossRise(base, tuned)}
          lane={held ? { ...base, measures: null } : tuned}
          title={t(held ? "lanes.held" : "lanes.tuned")}
          busy={busy && !held}
          spans={held ? NO_SPANS : spans}
          chosen={chosen}
          onChoose={choose}
          tools={tuned.ids.length > 0 ? <Hold held={held} onHold={onHold} /> : null}
        >
          {changed}
        </LaneCard>
      </div>
      <div className={classes.bar}>
        <Phase state={state} />
        <span className={classes.space} />
        {tuned.ids.length > 0 ? (
          <Button
            kind="quiet"
            size="small"
            className={classes.toggle}
            aria-pressed={diff}
            onClick={() => set({ diff: !diff })}
          >
            {t("lanes.diff")}
          </Button>
        ) : null}
        {tuned.ids.length > 0 ? <TextShare model={model} layers={layout?.layers ?? 0} /> : null}
      </div>
      {chosen !== null ? (
        <TokenPanel token={chosen} base={base} tuned={tuned} onClose={() => setToken(null)} />
      ) : null}
    </div>
  );
}
