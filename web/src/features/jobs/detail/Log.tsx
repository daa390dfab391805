/** The run's log, to read and to copy; tokens and paths are taken out. */
import { useState } from "react";
import { redact } from "@/shared/redact";
import { Button } from "@/shared/ui/Button";
import { copyText, ErrorNote } from "@/shared/ui/ErrorNote";
import { useT } from "../words";
import classes from "./Log.module.css";
import type { RunLog } from "./useRunLog";

export function Log({ log }: { log: RunLog }) {
  const t = useT();
  const [copied, setCopied] = useState(false);
  const text = redact(log.lines.join("\n"));
  return (
    <details className={classes.log}>
      <summary>
        {t("detail.log")} <span>{t("detail.log_lines", { count: log.lines.length })}</span>
      </summary>
      {log.error ? <ErrorNote error={log.error} /> : null}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard */}
      <pre tabIndex={0}>{text}</pre>
      <Button size="small" onClick={() => void copyText(text).then(() => setCopied(true))} aria-live="polite">
        {copied ? t("detail.log_copied") : t("detail.log_copy")}
      </Button>
    </details>
  );
}
