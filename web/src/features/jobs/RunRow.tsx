/** One run in the list. */
import { IconPinned } from "@tabler/icons-react";
import { memo } from "react";
import type { RunSummary } from "@/api/types";
import { ago, duration } from "@/shared/i18n/format";
import { useLanguage } from "@/shared/i18n/i18n";
import { Chip } from "@/shared/ui/Chip";
import { RecipeWords } from "./RecipeWords";
import classes from "./RunRow.module.css";
import { StateChip } from "./StateChip";
import { tookSeconds } from "./took";
import { useT } from "./words";

type Props = { run: RunSummary; open: boolean; base: boolean; onOpen: (run: string) => void };

export const RunRow = memo(function RunRow({ run, open, base, onOpen }: Props) {
  const t = useT();
  useLanguage(); // dates and numbers follow it
  const seconds = tookSeconds(run);
  return (
    <button
      type="button"
      className={classes.row}
      aria-current={open || undefined}
      onClick={() => onOpen(run.id)}
    >
      <span className={classes.state}>
        <StateChip state={run.state} />
      </span>
      <span className={classes.what}>
        <span className={classes.prompt}>{run.prompt}</span>
        <span className={classes.name}>
          {base ? <IconPinned size={14} aria-label={t("detail.unpin")} /> : null}
          {run.name} · {run.model}
        </span>
      </span>
      <span className={classes.recipe}>
        {run.kind === "generate" ? (
          <RecipeWords recipe={run.recipe} />
        ) : (
          <Chip tone="delta">{t(`kind.${run.kind}`)}</Chip>
        )}
      </span>
      <span className={classes.when}>
        <time dateTime={run.created_at}>{ago(run.created_at)}</time>
        <span>{seconds === null ? "" : duration(seconds)}</span>
      </span>
    </button>
  );
});
