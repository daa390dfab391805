/** The run's log, to read and to copy; tokens and paths are taken out. */
import { useState } from "react";
import { redact } from "@/shared/redact";
import { Button } from "@/shared/ui/Button";
import { copyText } from "@/shared/ui/ErrorNote";
import { useT } from "../words";
import classes from "./RunLog.module.css";

export function RunLog({ lines }: { lines: readonly string[] }) {
  const t = useT();
  const [open, setOpen] = useState(false);
  const [copied, setCopied] = useState(false);
  const text = open ? redact(lines.join("\n")) : "";
  return (
    <details className={classes.log} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {t("log.title")} <span>{t("log.lines", { count: lines.length })}</span>
      </summary>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard */}
      <pre tabIndex={0}>{text}</pre>
      <Button size="small" onClick={() => void copyText(text).then(() => setCopied(true))} aria-live="polite">
        {copied ? t("log.copied") : t("log.copy")}
      </Button>
    </details>
  );
}
