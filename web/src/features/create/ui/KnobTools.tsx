/** Above the sliders: which recipe is heard (A or B), undo, redo, reset; and what the last move did.
 *  Knows the draft's history. */
import { IconArrowBackUp, IconArrowForwardUp, IconRestore } from "@tabler/icons-react";
import { Button, IconButton } from "@/shared/ui/Button";
import { redo, resetRecipe, swapSlots, undo, useDraft, useHistoryDepth } from "../logic/draft";
import { isNeutral } from "../logic/recipe";
import { useWords } from "../messages";
import classes from "./KnobTools.module.css";

export function KnobTools({ said }: { said: string }) {
  const t = useWords();
  const { past, future } = useHistoryDepth();
  const slot = useDraft((draft) => draft.slot);
  const neutral = useDraft(
    (draft) => isNeutral(draft.recipe) && draft.muted.length === 0 && draft.soloed.length === 0,
  );
  return (
    <div className={classes.tools}>
      <p className={classes.said} role="status">
        {said}
      </p>
      <button type="button" className={classes.ab} onClick={swapSlots} title={t("knobs.ab")}>
        <span className="visually-hidden">{`${t("knobs.ab")} (${t("knobs.slot", { slot })})`}</span>
        {(["A", "B"] as const).map((name) => (
          <span key={name} data-on={name === slot || undefined} aria-hidden>
            {name}
          </span>
        ))}
      </button>
      <IconButton label={t("knobs.undo")} title={t("knobs.undo")} disabled={past === 0} onClick={undo}>
        <IconArrowBackUp size={18} aria-hidden />
      </IconButton>
      <IconButton label={t("knobs.redo")} title={t("knobs.redo")} disabled={future === 0} onClick={redo}>
        <IconArrowForwardUp size={18} aria-hidden />
      </IconButton>
      <Button
        kind="quiet"
        size="small"
        disabled={neutral}
        onClick={resetRecipe}
        aria-label={t("knobs.reset")}
      >
        <IconRestore size={16} aria-hidden /> {t("knobs.resetShort")}
      </Button>
    </div>
  );
}
