/** Shows the page to whoever has a session, and asks everybody else. When a session ends in mid-work the page stays as it
 * is beneath the question. */
import { type ReactNode, useEffect, useRef } from "react";
import { useSession } from "@/api/sessionState";
import { startPageStream } from "@/api/stream/pageStream";
import { ImfineError } from "@/shared/errors";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Mark } from "@/shared/ui/Mark";
import { LoginPage } from "./LoginPage";
import classes from "./SessionGate.module.css";
import { openSession } from "./signIn";
import { urlToken } from "./urlToken";
import { useT } from "./words";

let asked = false; // once a page, however often the gate is shown

export function SessionGate({ children }: { children: ReactNode }) {
  const t = useT();
  const state = useSession((session) => session.state);
  const everIn = useRef(false);
  if (state === "in") everIn.current = true;

  useEffect(() => {
    if (asked) return;
    asked = true;
    void openSession(urlToken);
  }, []);
  useEffect(() => (state === "in" ? startPageStream() : undefined), [state]);

  const retry = () => {
    useSession.setState({ state: "asking" });
    void openSession(null);
  };
  const unreachable = new ImfineError({
    code: "no_answer",
    message: t("unreachable"),
    remedy: t("unreachable_remedy"),
  });
  return (
    <>
      {everIn.current ? <div inert={state !== "in"}>{children}</div> : null}
      {state === "asking" && !everIn.current ? (
        <div className={classes.splash} aria-busy="true">
          <Mark size={72} />
        </div>
      ) : null}
      {state === "out" ? (
        <div className={everIn.current ? classes.over : undefined}>
          <LoginPage again={everIn.current} refused={urlToken !== null && !everIn.current} />
        </div>
      ) : null}
      {state === "unreachable" ? (
        <main className={classes.splash}>
          <Mark size={72} />
          <ErrorNote error={unreachable} onRetry={retry} />
        </main>
      ) : null}
    </>
  );
}
