/** What the model is asked before, during and after, so that its change is seen. Knows what both plans share. */
import { IconPlus, IconX } from "@tabler/icons-react";
import { Button, IconButton } from "@/shared/ui/Button";
import { Help } from "@/shared/ui/Help";
import { MAX_SAMPLE_CHARACTERS, MAX_SAMPLES } from "../logic/plan";
import type { Kind } from "../logic/ready";
import { useT } from "../words";
import type { LearnProps } from "./LearnFields";
import classes from "./Questions.module.css";

/** `offered`: captions of the data, to see what is learned of them; the first that is not among the samples is offered. */
type Props = LearnProps & { kind: Kind; offered?: readonly string[] };

export function Questions({ kind, plan: { samples }, onChange, offered = [] }: Props) {
  const t = useT();
  const put = (n: number, text: string) =>
    onChange({ samples: samples.map((one, i) => (i === n ? text : one)) });
  const caption = offered.find((one) => one !== "" && !samples.includes(one));
  return (
    // biome-ignore lint/a11y/useSemanticElements: texts under one name
    <div role="group" aria-label={t(`what.watch.${kind}`)} className={classes.questions}>
      <span className={classes.label}>
        {t(`what.watch.${kind}`)}
        <Help about={t(`what.watch.${kind}`)}>{t(`what.watchHelp.${kind}`)}</Help>
      </span>
      {samples.map((text, n) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a question is its place
        <div key={n} className={classes.question}>
          <input
            type="text"
            aria-label={t(`what.question.${kind}`, { n: n + 1 })}
            value={text}
            maxLength={MAX_SAMPLE_CHARACTERS}
            onChange={(event) => put(n, event.target.value)}
          />
          <IconButton
            label={t(`what.removeQuestion.${kind}`, { n: n + 1 })}
            onClick={() => onChange({ samples: samples.filter((_, i) => i !== n) })}
          >
            <IconX size={16} aria-hidden />
          </IconButton>
        </div>
      ))}
      {samples.length < MAX_SAMPLES ? (
        <span className={classes.more}>
          <Button kind="quiet" size="small" onClick={() => onChange({ samples: [...samples, ""] })}>
            <IconPlus size={15} aria-hidden /> {t(`what.addQuestion.${kind}`)}
          </Button>
          {caption ? (
            <Button kind="quiet" size="small" onClick={() => onChange({ samples: [...samples, caption] })}>
              <IconPlus size={15} aria-hidden /> {t("what.addCaption", { caption: short(caption) })}
            </Button>
          ) : null}
        </span>
      ) : null}
    </div>
  );
}

const SHORT = 40; // characters

const short = (text: string): string => (text.length > SHORT ? `${text.slice(0, SHORT)}…` : text);
