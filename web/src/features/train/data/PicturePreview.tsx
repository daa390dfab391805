/** The first pictures as the model sees them, each with what is said of it. Knows rows, no data set. */
import type { RowPreview } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { useT } from "../words";
import { Cut } from "./Cut";
import { FirstRows } from "./FirstRows";
import classes from "./PicturePreview.module.css";

type Props = { rows: readonly RowPreview[]; pixels: number | null; onMore: (() => void) | null };

export function PicturePreview({ rows, pixels, onMore }: Props) {
  const t = useT();
  return (
    <FirstRows
      title={t(pixels === null ? "preview.plain" : "preview.seen")}
      beside={
        pixels === null ? null : (
          <span className={classes.quiet}>{t("preview.cut", { pixels: number(pixels) })}</span>
        )
      }
      list={classes.pictures}
      onMore={onMore}
    >
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
    </FirstRows>
  );
}
