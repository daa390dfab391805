/** The first pictures as the model sees them, each with what is said of it. Knows rows, no data set. */
import type { RowPreview } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { useT } from "../words";
import { Cut } from "./Cut";
import classes from "./PicturePreview.module.css";

type Props = { rows: readonly RowPreview[]; pixels: number | null; onMore: (() => void) | null };

export function PicturePreview({ rows, pixels, onMore }: Props) {
  const t = useT();
  return (
    <section className={classes.preview} aria-labelledby="train-preview">
      <header className={classes.head}>
        <h3 id="train-preview">{t(pixels === null ? "preview.plain" : "preview.seen")}</h3>
        {pixels === null ? null : (
          <span className={classes.quiet}>{t("preview.cut", { pixels: number(pixels) })}</span>
        )}
      </header>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard */}
      <ol className={classes.pictures} tabIndex={0} aria-labelledby="train-preview">
        {rows.map(({ pieces, picture }, n) => {
          const caption = pieces.map(({ text }) => text).join("");
          return (
            // biome-ignore lint/suspicious/noArrayIndexKey: the rows of a data set never change their places
            <li key={n}>
              {picture ? (
                <Cut url={picture.url} alt={t("preview.picture", { n: n + 1 })} pixels={pixels} />
              ) : null}
              {caption === "" ? <em>{t("preview.noCaption")}</em> : <p title={caption}>{caption}</p>}
            </li>
          );
        })}
      </ol>
      {onMore ? (
        <Button kind="quiet" size="small" onClick={onMore}>
          {t("preview.more")}
        </Button>
      ) : null}
    </section>
  );
}
