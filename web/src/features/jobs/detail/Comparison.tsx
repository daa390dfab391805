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
import { Made } from "./Made";

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
          <p className={classes.verdict}>{verdict(other, run, t)}</p>
          <p className={classes.text}>
            <DiffText before={before.text} after={after.text} removals />
          </p>
          <Made before={other} after={run} />
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

/** Of the lanes that both runs have, the one a run was made for first: "identical" means all of them are. */
function verdict(before: Run, after: Run, t: ReturnType<typeof useT>): string {
  const [a, b] = [mainLane(before), mainLane(after)];
  if (!a || !b) return "";
  if (before.model !== after.model) return a.text === b.text ? t("detail.same_text") : "";
  const at = firstDifference(a.token_ids, b.token_ids);
  if (at !== null) return t("detail.differs", { at: at + 1 });
  for (const lane of after.result?.lanes ?? []) {
    const other = before.result?.lanes.find(({ name }) => name === lane.name);
    const differs = other ? firstDifference(other.token_ids, lane.token_ids) : null;
    if (differs !== null) return t("detail.lane_differs", { lane: laneName(lane.name, t), at: differs + 1 });
  }
  return t("detail.same");
}

function laneName(name: string, t: ReturnType<typeof useT>): string {
  return name === "base" || name === "tuned" ? t(`detail.${name}`) : name;
}

export function firstDifference(a: readonly number[], b: readonly number[]): number | null {
  const length = Math.max(a.length, b.length);
  for (let index = 0; index < length; index += 1) if (a[index] !== b[index]) return index;
  return null;
}
