/** The first rows as the model reads them; what is learned is marked, by more than colour. Knows rows, no data set. */
import type { DatasetPreview } from "@/api/train";
import { useT } from "../words";
import classes from "./Data.module.css";
import { FirstRows } from "./FirstRows";

type Props = { rows: DatasetPreview["rows"]; read: boolean; onMore: (() => void) | null };

export function Preview({ rows, read, onMore }: Props) {
  const t = useT();
  return (
    <FirstRows
      title={t(read ? "preview.title" : "preview.plain")}
      beside={
        <span className={classes.legend}>
          <mark>{t("preview.legend")}</mark>
          <span>{t("preview.legendOther")}</span>
        </span>
      }
      list={classes.rows}
      onMore={onMore}
    >
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
    </FirstRows>
  );
}
