/** What is in the chosen pictures, what one should know of them, and the first as the model sees them. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Dataset, picturePreviewQuery } from "@/api/train";
import { bytes, number } from "@/shared/i18n/format";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { useT } from "../words";
import classes from "./Data.module.css";
import { Findings } from "./Findings";
import { PicturePreview } from "./PicturePreview";

/** `pixels`: the side to which the model has them cut; null: it learns no pictures. */
type Props = { dataset: Dataset; pixels: number | null };

const FEW = 8;
const MANY = 20;

export function PictureFacts({ dataset, pixels }: Props) {
  const t = useT();
  const [rows, setRows] = useState(FEW);
  const preview = useQuery({
    ...picturePreviewQuery(dataset.id, pixels, rows),
    placeholderData: keepPreviousData,
  });
  const counted = preview.data?.pictures ?? null;
  const { sizes } = dataset;
  const size = ([width = 0, height = 0]: readonly number[]) => `${number(width)} × ${number(height)}`;
  const one = sizes !== null && size(sizes.smallest) === size(sizes.largest);
  return (
    <div className={classes.facts}>
      <p className={classes.file}>
        {dataset.name} <span>{bytes(dataset.bytes)}</span>
      </p>
      <dl className={classes.list}>
        <div>
          <dt>{t("data.pictures")}</dt>
          <dd>{number(dataset.rows)}</dd>
        </div>
        {sizes ? (
          <div>
            <dt>{t("data.sizes")}</dt>
            <dd>
              {one
                ? size(sizes.smallest)
                : t("data.sizesTo", { smallest: size(sizes.smallest), largest: size(sizes.largest) })}
            </dd>
          </div>
        ) : null}
        {counted ? (
          <div>
            <dt>{t("data.captions")}</dt>
            <dd>
              {counted.captioned === counted.rows
                ? t("data.captionsAll")
                : t("data.captionsSome", { count: counted.captioned, rows: number(counted.rows) })}
            </dd>
          </div>
        ) : null}
      </dl>
      <Findings findings={[...dataset.findings, ...(counted?.findings ?? [])]} all={counted !== null} />
      {preview.error ? (
        <ErrorNote error={preview.error} onRetry={() => void preview.refetch()} compact />
      ) : null}
      {preview.isPending ? <p className={classes.quiet}>{t("preview.waiting")}</p> : null}
      {preview.data ? (
        <PicturePreview
          rows={preview.data.rows}
          pixels={pixels}
          onMore={rows < MANY && dataset.rows > rows ? () => setRows(MANY) : null}
        />
      ) : null}
    </div>
  );
}
