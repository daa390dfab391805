/** A data set of the Hugging Face Hub by its name. Knows a name's form, not what becomes of it. */
import { useState } from "react";
import { Button } from "@/shared/ui/Button";
import { Field } from "@/shared/ui/Field";
import { useT } from "../words";
import classes from "./Data.module.css";

/** owner/name, with @revision and /folder; the address of its page is one too. */
const NAME =
  /^(?:https:\/\/huggingface\.co\/datasets\/|hf:\/\/datasets\/)?([\w.-]+\/[\w.-]+(?:@[\w.-]+)?(?:\/[\w./ +-]+)?)\/?$/;

/** `failed`: the name that could not be had, to be mended. */
type Props = { failed: string | null; onTake: (name: string) => void };

export function FromHub({ failed, onTake }: Props) {
  const t = useT();
  const [typed, setTyped] = useState(failed ?? "");
  const [wrong, setWrong] = useState(false);
  return (
    <details className={classes.details} open={failed !== null}>
      <summary>{t("data.hub")}</summary>
      <form
        className={classes.hub}
        onSubmit={(event) => {
          event.preventDefault();
          const name = NAME.exec(typed.trim())?.[1];
          setWrong(name === undefined);
          if (name) onTake(name);
        }}
      >
        <Field
          label={t("data.hubName")}
          placeholder="owner/name"
          autoCapitalize="none"
          autoCorrect="off"
          spellCheck={false}
          value={typed}
          onChange={(event) => {
            setTyped(event.target.value);
            setWrong(false);
          }}
          hint={t("data.hubHint")}
          error={wrong ? t("data.hubWrong") : undefined}
        />
        <Button type="submit" size="small">
          {t("data.hubTake")}
        </Button>
      </form>
    </details>
  );
}
