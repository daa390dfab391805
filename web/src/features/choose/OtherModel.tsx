/** Any Hub id or folder: looked at before anything is fetched, with the reason at once when it cannot be used. */
import { IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useRef } from "react";
import { modelQuery } from "@/api/models";
import { Button } from "@/shared/ui/Button";
import { Card } from "@/shared/ui/Card";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Field } from "@/shared/ui/Field";
import { ModelChoice } from "./FamilyCard";
import classes from "./OtherModel.module.css";
import { useT } from "./words";

type Props = {
  typed: string;
  asked: string;
  onType: (typed: string) => void;
  onAsk: (id: string) => void;
  chosen: string | null;
  onChoose: (id: string) => void;
};

export function OtherModel({ typed, asked, onType, onAsk, chosen, onChoose }: Props) {
  const t = useT();
  const model = useQuery({ ...modelQuery(asked), enabled: asked !== "" });
  const told = useRef<HTMLDivElement>(null);
  const settled = asked !== "" && !model.isFetching;
  useEffect(() => {
    if (settled) told.current?.scrollIntoView({ block: "nearest" });
  }, [settled]);
  return (
    <section aria-labelledby="other-model" className={classes.other}>
      <h2 id="other-model">{t("other.title")}</h2>
      <form
        className={classes.form}
        onSubmit={(event) => {
          event.preventDefault();
          onAsk(typed.trim());
        }}
      >
        <Field
          label={t("other.label")}
          hint={t("other.hint")}
          value={typed}
          onChange={(event) => onType(event.currentTarget.value)}
          icon={<IconSearch size={18} aria-hidden />}
          spellCheck={false}
          autoCapitalize="none"
          autoComplete="off"
          className={classes.field}
        />
        <Button
          type="submit"
          className={classes.check}
          disabled={!typed.trim()}
          busy={asked !== "" && model.isFetching}
        >
          {t("other.check")}
        </Button>
      </form>
      <div aria-live="polite" ref={told}>
        {asked !== "" && model.isFetching ? <p className={classes.looking}>{t("other.checking")}</p> : null}
        {asked !== "" && model.error && !model.isFetching ? (
          <ErrorNote error={model.error} onRetry={() => void model.refetch()} />
        ) : null}
        {asked !== "" && model.data && !model.isFetching ? (
          <Card>
            <ModelChoice card={model.data.card} chosen={chosen} leading onChoose={onChoose} />
          </Card>
        ) : null}
      </div>
    </section>
  );
}
