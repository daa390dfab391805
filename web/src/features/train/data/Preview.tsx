/** The first rows as the model reads them; what is learned is marked, by more than colour. Knows rows, no data set. */
import type { DatasetPreview } from "@/api/train";
import { Button } from "@/shared/ui/Button";
import { useT } from "../words";
import classes from "./Data.module.css";

type Props = { rows: DatasetPreview["rows"]; read: boolean; onMore: (() => void) | null };

export function Preview({ rows, read, onMore }: Props) {
  const t = useT();
  return (
    <section className={classes.preview} aria-labelledby="train-preview">
      <header className={classes.previewHead}>
        <h3 id="train-preview">{t(read ? "preview.title" : "preview.plain")}</h3>
        <span className={classes.legend}>
          <mark>{t("preview.legend")}</mark>
          <span>{t("preview.legendOther")}</span>
        </span>
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard */}
      <ol className={classes.rows} tabIndex={0} aria-labelledby="train-preview">
        {rows.map(({ pieces }, n) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the rows of a data set never change their places
          <li key={n}>
            <span className="visually-hidden">{t("preview.row", { n: n + 1 })}</span>
            <p>
              {pieces.map(({ text, trained }, i) =>
                trained ? (
                  // biome-ignore lint/suspicious/noArrayIndexKey: nor do its pieces
                  <mark key={i}>{text}</mark>
                ) : (
                  // biome-ignore lint/suspicious/noArrayIndexKey: nor do its pieces
                  <span key={i}>{text}</span>
                ),
              )}
            </p>
          </li>
        ))}
      </ol>
      {onMore ? (
        <Button kind="quiet" size="small" onClick={onMore}>
          {t("preview.more")}
        </Button>
      ) : null}
    </section>
  );
}
