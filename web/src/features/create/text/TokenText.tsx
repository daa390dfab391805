/** A lane's answer, token by token: streaming text with a caret, changed words marked, one tab stop with arrow keys
 *  through the tokens. Knows a lane and the spans to mark, no network. */
import { type KeyboardEvent, type MouseEvent, memo, useEffect, useRef } from "react";
import { type Run, runsOf, type Span } from "../logic/diff";
import classes from "./TokenText.module.css";

type Props = {
  label: string;
  help: string;
  texts: readonly string[];
  spans: readonly Span[];
  streaming: boolean;
  chosen: number | null;
  onChoose: (token: number | null) => void;
};

export const TokenText = memo(function TokenText({
  label,
  help,
  texts,
  spans,
  streaming,
  chosen,
  onChoose,
}: Props) {
  const box = useRef<HTMLDivElement>(null);
  const tail = useRef(true); // the reader is at the end: new text keeps it in sight

  useEffect(() => {
    const element = box.current;
    if (element && streaming && tail.current && texts.length > 0) element.scrollTop = element.scrollHeight;
  }, [texts, streaming]);

  const at = chosen === null ? null : Math.min(chosen, texts.length - 1);
  const step = (from: number | null, by: number): number => {
    if (from === null) return by > 0 ? 0 : texts.length - 1;
    let next = from + by;
    while (next > 0 && next < texts.length - 1 && texts[next] === "") next += by; // tokens that add no text
    return Math.min(texts.length - 1, Math.max(0, next));
  };
  const target = (key: string): number | null | undefined => {
    if (key === "ArrowRight") return step(at, 1);
    if (key === "ArrowLeft") return step(at, -1);
    if (key === "Home") return 0;
    if (key === "End") return texts.length - 1;
    if (key === "Enter") return at ?? 0;
    return key === "Escape" ? null : undefined;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || texts.length === 0) return;
    const to = target(event.key);
    if (to === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    onChoose(to);
  };
  const onClick = (event: MouseEvent) => {
    const token = (event.target as HTMLElement).closest<HTMLElement>("[data-token]")?.dataset.token;
    if (token !== undefined && window.getSelection()?.isCollapsed !== false) onChoose(Number(token));
  };

  return (
    // biome-ignore lint/a11y/useSemanticElements: no fieldset: this is a text whose parts can be chosen
    <div
      ref={box}
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: one tab stop for all tokens; arrow keys go through them
      tabIndex={0}
      className={classes.text}
      aria-label={`${label}. ${help}`}
      onKeyDown={onKeyDown}
      onClick={onClick}
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        tail.current = scrollTop + clientHeight >= scrollHeight - 24;
      }}
    >
      <p>
        {runsOf(texts, spans).map((run) => (
          <RunText
            key={`${run.pieces[0]?.token}-${run.changed}-${run.pieces[0]?.text}`}
            run={run}
            chosen={at}
          />
        ))}
        {streaming ? <span className={classes.caret} aria-hidden="true" /> : null}
      </p>
    </div>
  );
});

/** A token of line breaks alone would be invisible, and nothing to click on: it gets a mark. */
const isBreak = (text: string): boolean => text.includes("\n") && text.trim() === "";

function RunText({ run, chosen }: { run: Run; chosen: number | null }) {
  const pieces = run.pieces.map(({ token, text }) => (
    <span
      key={token}
      className={classes.token}
      data-token={token}
      data-break={isBreak(text) || undefined}
      data-chosen={token === chosen || undefined}
    >
      {text}
    </span>
  ));
  return run.changed ? <mark className={classes.changed}>{pieces}</mark> : pieces;
}
