/** What is in the chosen pictures, what one should know of them, and the first as the model sees them. */
import { type Dataset, picturePreviewQuery } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { useT } from "../words";
import { DataFacts, Fact, useRows } from "./DataFacts";
import { PicturePreview } from "./PicturePreview";

/** `pixels`: the side to which the model has them cut; null: it learns no pictures. */
type Props = { dataset: Dataset; pixels: number | null };

const FEW = 8;

export function PictureFacts({ dataset, pixels }: Props) {
  const t = useT();
  const { preview, onMore } = useRows(dataset, FEW, (rows) => picturePreviewQuery(dataset.id, pixels, rows));
  const counted = preview.data?.pictures ?? null;
  const { sizes } = dataset;
  const size = ([width = 0, height = 0]: readonly number[]) => `${number(width)} × ${number(height)}`;
  const one = sizes !== null && size(sizes.smallest) === size(sizes.largest);
  const facts = (
    <>
      <Fact name={t("data.pictures")}>{number(dataset.rows)}</Fact>
      {sizes ? (
        <Fact name={t("data.sizes")}>
          {one
            ? size(sizes.smallest)
            : t("data.sizesTo", { smallest: size(sizes.smallest), largest: size(sizes.largest) })}
        </Fact>
      ) : null}
      {counted ? (
        <Fact name={t("data.captions")}>
          {counted.captioned === counted.rows
            ? t("data.captionsAll")
            : t("data.captionsSome", { count: counted.captioned, rows: number(counted.rows) })}
        </Fact>
      ) : null}
    </>
  );
  return (
    <DataFacts dataset={dataset} preview={preview} counted={counted} facts={facts}>
      {(rows) => <PicturePreview rows={rows} pixels={pixels} onMore={onMore} />}
    </DataFacts>
  );
}
