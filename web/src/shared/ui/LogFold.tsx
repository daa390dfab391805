/** A log, folded, to read and to copy; tokens and paths are taken out. Knows lines, not whose they are. */
import { type ReactNode, useState } from "react";
import { redact } from "@/shared/redact";
import { Button } from "./Button";
import { copyText } from "./ErrorNote";
import classes from "./LogFold.module.css";

type Props = {
  lines: readonly string[];
  words: { title: string; count: string; copy: string; copied: string };
  children?: ReactNode; // above the lines
};

export function LogFold({ lines, words, children }: Props) {
  const [open, setOpen] = useState(false);
  const [copied, setCopied] = useState(false);
  const text = open ? redact(lines.join("\n")) : ""; // a long run's is not laid out while nobody reads it
  return (
    <details className={classes.log} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        {words.title} <span>{words.count}</span>
      </summary>
      {children}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard */}
      <pre tabIndex={0}>{text}</pre>
      <Button size="small" onClick={() => void copyText(text).then(() => setCopied(true))} aria-live="polite">
        {copied ? words.copied : words.copy}
      </Button>
    </details>
  );
}
