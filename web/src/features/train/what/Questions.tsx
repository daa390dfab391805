/** What the model is asked before, during and after, so that its change is seen. Knows the draft. */
import { IconPlus, IconX } from "@tabler/icons-react";
import { Button, IconButton } from "@/shared/ui/Button";
import { Help } from "@/shared/ui/Help";
import { setPlan, useDraft } from "../logic/draft";
import { MAX_SAMPLE_CHARACTERS, MAX_SAMPLES } from "../logic/plan";
import { useT } from "../words";
import classes from "./Questions.module.css";

export function Questions() {
  const t = useT();
  const samples = useDraft((draft) => draft.plan.samples);
  const put = (n: number, text: string) =>
    setPlan({ samples: samples.map((one, i) => (i === n ? text : one)) });
  return (
    // biome-ignore lint/a11y/useSemanticElements: texts under one name
    <div role="group" aria-label={t("what.watch")} className={classes.questions}>
      <span className={classes.label}>
        {t("what.watch")}
        <Help about={t("what.watch")}>{t("what.watchHelp")}</Help>
      </span>
      {samples.map((text, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a question is its place
        <div key={n} className={classes.question}>
          <input
            type="text"
            aria-label={t("what.question", { n: n + 1 })}
            value={text}
            maxLength={MAX_SAMPLE_CHARACTERS}
            onChange={(event) => put(n, event.target.value)}
          />
          <IconButton
            label={t("what.removeQuestion", { n: n + 1 })}
            onClick={() => setPlan({ samples: samples.filter((_, i) => i !== n) })}
          >
            <IconX size={16} aria-hidden />
          </IconButton>
        </div>
      ))}
      {samples.length < MAX_SAMPLES ? (
        <Button kind="quiet" size="small" onClick={() => setPlan({ samples: [...samples, ""] })}>
          <IconPlus size={15} aria-hidden /> {t("what.addQuestion")}
        </Button>
      ) : null}
    </div>
  );
}
