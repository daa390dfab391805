/** What is shown instead of a screen that cannot be: it broke, or there is none at this address. */
import { type ErrorComponentProps, Link } from "@tanstack/react-router";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import classes from "./Trouble.module.css";
import { useT } from "./words";

export function Crash({ error }: ErrorComponentProps) {
  const t = useT();
  return (
    <div className={classes.trouble}>
      <h1>{t("crash.title")}</h1>
      <ErrorNote error={error} />
      <Button onClick={() => window.location.reload()}>{t("crash.reload")}</Button>
    </div>
  );
}

export function NotFound() {
  const t = useT();
  return (
    <div className={classes.trouble}>
      <h1>{t("not_found.title")}</h1>
      <Link to="/create" className={classes.link}>
        {t("not_found.home")}
      </Link>
    </div>
  );
}
