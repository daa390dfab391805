/** Asks for the token and says where it is to be found. */
import { IconKey } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { asImfineError } from "@/shared/errors";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Field } from "@/shared/ui/Field";
import { Mark } from "@/shared/ui/Mark";
import { Prose } from "@/shared/ui/Prose";
import classes from "./LoginPage.module.css";
import { signIn } from "./signIn";
import { useT } from "./words";

const TOKEN_FILE = "~/.local/share/imfine/token";

/** `again`: the session ended while the page was in use. */
export function LoginPage({ again, refused }: { again: boolean; refused: boolean }) {
  const t = useT();
  const [token, setToken] = useState("");
  const enter = useMutation({ mutationFn: signIn });
  const wrong = enter.error ? asImfineError(enter.error).status === 401 : refused && !enter.isPending;
  return (
    <main className={classes.page}>
      <form
        className={classes.card}
        onSubmit={(event) => {
          event.preventDefault();
          if (token.trim()) enter.mutate(token.trim());
        }}
      >
        <div className={classes.mark}>
          <Mark size={64} />
        </div>
        <h1 className={classes.title}>{t("hello")}</h1>
        <p className={classes.lead}>{t("lead")}</p>
        <p>{again ? t("again") : t("ask")}</p>
        <Field
          label={t("token")}
          type="password"
          autoComplete="current-password"
          autoFocus
          value={token}
          onChange={(event) => setToken(event.currentTarget.value)}
          icon={<IconKey size={18} aria-hidden />}
          error={wrong ? t("wrong") : undefined}
        />
        {enter.error && !wrong ? <ErrorNote error={enter.error} /> : null}
        <Button type="submit" kind="primary" busy={enter.isPending} disabled={!token.trim()}>
          {t("enter")}
        </Button>
        <section className={classes.where}>
          <h2>{t("where")}</h2>
          <p>
            <Prose>{t("where_terminal")}</Prose>
          </p>
          <p>{t("where_file")}</p>
          <code>{TOKEN_FILE}</code>
        </section>
      </form>
    </main>
  );
}
