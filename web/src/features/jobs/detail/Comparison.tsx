/** This run beside the baseline: both settings, and the tuned answers as one text with its changes. */
import { useQuery } from "@tanstack/react-query";
import type { LaneResult, Run } from "@/api/types";
import { Card } from "@/shared/ui/Card";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { RecipeWords } from "../RecipeWords";
import { runQuery } from "../runsQuery";
import { useT } from "../words";
import classes from "./Comparison.module.css";
import { DiffText } from "./DiffText";

export function Comparison({ run, base }: { run: Run; base: string }) {
  const t = useT();
  const { data: other, error } = useQuery(runQuery(base));
  if (error) return <ErrorNote error={error} />;
  if (!other) return null;
  const before = mainLane(other);
  const after = mainLane(run);
  return (
    <Card accent="attn" className={classes.card} aria-label={t("detail.compare", { name: other.name })}>
      <h3>{t("detail.compare", { name: other.name })}</h3>
      <dl className={classes.settings}>
        <dt>{t("detail.settings_a")}</dt>
        <dd>
          <RecipeWords recipe={other.recipe} />
        </dd>
        <dt>{t("detail.settings_b")}</dt>
        <dd>
          <RecipeWords recipe={run.recipe} />
        </dd>
      </dl>
      {before && after ? (
        <>
          {run.prompt === other.prompt ? null : <p>{t("detail.other_prompt")}</p>}
          <p className={classes.verdict}>{verdict(before, after, run.model === other.model, t)}</p>
          <p className={classes.text}>
            <DiffText before={before.text} after={after.text} removals />
          </p>
        </>
      ) : (
        <p className={classes.verdict}>{t("detail.not_yet")}</p>
      )}
    </Card>
  );
}

/** The lane a run was made for: the last one; "base" only where there is no other. */
function mainLane(run: Run): LaneResult | undefined {
  return run.result?.lanes.findLast(({ name }) => name !== "base") ?? run.result?.lanes[0];
}

function verdict(
  before: LaneResult,
  after: LaneResult,
  sameModel: boolean,
  t: ReturnType<typeof useT>,
): string {
  if (!sameModel) return before.text === after.text ? t("detail.same_text") : "";
  const at = firstDifference(before.token_ids, after.token_ids);
  return at === null ? t("detail.same") : t("detail.differs", { at: at + 1 });
}

export function firstDifference(a: readonly number[], b: readonly number[]): number | null {
  const length = Math.max(a.length, b.length);
  for (let index = 0; index < length; index += 1) if (a[index] !== b[index]) return index;
  return null;
}
