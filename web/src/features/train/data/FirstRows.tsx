/** The frame of the first rows of data, of any kind: its title, a list that scrolls, a way to see more. */
import type { ReactNode } from "react";
import { Button } from "@/shared/ui/Button";
import { useT } from "../words";
import classes from "./Data.module.css";

type Props = {
  title: string;
  beside: ReactNode;
  list: string | undefined; // the list's class
  onMore: (() => void) | null;
  children: ReactNode;
};

export function FirstRows({ title, beside, list, onMore, children }: Props) {
  const t = useT();
  return (
    <section className={classes.preview} aria-labelledby="train-preview">
      <header className={classes.previewHead}>
        <h3 id="train-preview">{title}</h3>
        {beside}
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard */}
      <ol className={list} tabIndex={0} aria-labelledby="train-preview">
        {children}
      </ol>
      {onMore ? (
        <Button kind="quiet" size="small" onClick={onMore}>
          {t("preview.more")}
        </Button>
      ) : null}
    </section>
  );
}
