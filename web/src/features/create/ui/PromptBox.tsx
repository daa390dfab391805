/** What is asked: the prompt, its hint, first examples, the settings beneath. ⌘/Ctrl+Enter runs; a Korean input
 *  method's own Enter does not. Knows the draft and the model's card. */
import { memo, useId } from "react";
import type { Card } from "@/api/types";
import { languageName } from "@/shared/i18n/format";
import { useLanguage } from "@/shared/i18n/i18n";
import { Button } from "@/shared/ui/Button";
import { ChipButton } from "@/shared/ui/Chip";
import { Kbd } from "@/shared/ui/Kbd";
import { setPrompt, useDraft } from "../logic/draft";
import { useWords } from "../messages";
import { ask, stop } from "../studio";
import classes from "./PromptBox.module.css";

/** In English, which every model reads; in the page's language where the model is made for it. */
const ENGLISH = ["example1", "example2", "example3"] as const;
const NATIVE = ["native1", "native2", "native3"] as const;

type Props = { card: Card | null; busy: boolean; changed: boolean; fresh: boolean };

export const PromptBox = memo(function PromptBox({ card, busy, changed, fresh }: Props) {
  const t = useWords();
  const id = useId();
  const prompt = useDraft((draft) => draft.prompt);
  const words = useDraft((draft) => (draft.kind === "image" ? "draw" : "prompt"));
  const languages = card?.languages?.map(languageName).join(", ");
  const language = useLanguage();
  const examples = card?.languages?.includes(language) ? NATIVE : ENGLISH;
  const empty = prompt.trim() === "";
  return (
    <div className={classes.prompt}>
      <label className={classes.label} htmlFor={id}>
        {t("prompt.label")}
      </label>
      <div className={classes.box}>
        <textarea
          id={id}
          value={prompt}
          rows={2}
          placeholder={t(`${words}.placeholder`)}
          aria-describedby={`${id}-hint`}
          onChange={(event) => setPrompt(event.target.value)}
          onKeyDown={(event) => {
            const composing = event.nativeEvent.isComposing || event.keyCode === 229;
            if (event.key !== "Enter" || !(event.metaKey || event.ctrlKey) || composing) return;
            event.preventDefault();
            event.stopPropagation();
            if (!empty) ask();
          }}
        />
        {busy ? (
          <Button kind="plain" size="small" className={classes.run} onClick={stop}>
            {t("prompt.stop")}
          </Button>
        ) : (
          <Button kind="primary" size="small" className={classes.run} disabled={empty} onClick={ask}>
            {t(`${words}.run`)}
          </Button>
        )}
      </div>
      <p id={`${id}-hint`} className={classes.hint}>
        {changed && !empty ? <strong>{t(`${words}.changed`)} </strong> : null}
        {languages ? `${t("prompt.languages", { languages })} · ` : null}
        <span className={classes.keys}>
          <Kbd keys="mod+Enter" /> {t(`${words}.send`)}
        </span>
      </p>
      {fresh && empty ? (
        // biome-ignore lint/a11y/useSemanticElements: a row of buttons under one name
        <div className={classes.examples} role="group" aria-label={t("prompt.examples")}>
          <span>{t("prompt.examples")}</span>
          {examples.map((name) => (
            <ChipButton
              key={name}
              onClick={() => {
                setPrompt(t(`${words}.${name}`));
                ask();
              }}
            >
              {t(`${words}.${name}`)}
            </ChipButton>
          ))}
        </div>
      ) : null}
    </div>
  );
});
