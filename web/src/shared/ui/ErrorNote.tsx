/** A failure, where it happened: cause, remedy, and a log to copy with tokens and paths taken out. */
import { IconAlertTriangle } from "@tabler/icons-react";
import { useState } from "react";
import { asImfineError, type ImfineError } from "../errors";
import { useErrorNoteT, useErrorWords } from "../i18n/errorWords";
import { redact } from "../redact";
import { Button } from "./Button";
import classes from "./ErrorNote.module.css";
import { Prose } from "./Prose";

type Props = { error: unknown; onRetry?: () => void; compact?: boolean };

export function ErrorNote({ error: thrown, onRetry, compact }: Props) {
  const error = asImfineError(thrown);
  const { cause, remedy } = useErrorWords()(error);
  const t = useErrorNoteT();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    await copyText(log(error));
    setCopied(true);
  };
  return (
    <div role="alert" className={classes.note} data-compact={compact || undefined}>
      <IconAlertTriangle size={18} aria-hidden className={classes.icon} />
      <div className={classes.words}>
        <p className={classes.cause}>
          <Prose>{cause}</Prose>
        </p>
        {remedy ? (
          <p className={classes.remedy}>
            <Prose>{remedy}</Prose>
          </p>
        ) : null}
        <details className={classes.details}>
          <summary>{t("details")}</summary>
          <pre>{log(error)}</pre>
        </details>
        <div className={classes.actions}>
          {onRetry ? (
            <Button size="small" onClick={onRetry}>
              {t("retry")}
            </Button>
          ) : null}
          <Button size="small" kind="quiet" onClick={() => void copy()} aria-live="polite">
            {copied ? t("copied") : t("copy")}
          </Button>
        </div>
      </div>
    </div>
  );
}

function log(error: ImfineError): string {
  const lines = [
    `code     ${error.code}${error.status ? ` (${error.status})` : ""}`,
    `message  ${error.message}`,
    error.remedy && `remedy   ${error.remedy}`,
    error.field && `field    ${error.field} = ${JSON.stringify(error.value)}`,
    error.requestId && `request  ${error.requestId}`,
    error.stack && error.code === "bug" && error.stack,
    `at       ${new Date().toISOString()}`,
  ];
  return redact(lines.filter(Boolean).join("\n"));
}

/** The clipboard's API wants a secure page; over plain http on a network a hidden field does it. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}
