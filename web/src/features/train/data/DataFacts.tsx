/** What is told of any chosen data: the file, its numbers, what one should know, its first rows. Knows no kind of data. */
import { keepPreviousData, type UseQueryResult, useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import type { Dataset, DatasetPreview, picturePreviewQuery, previewQuery } from "@/api/train";
import { bytes } from "@/shared/i18n/format";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { useT } from "../words";
import classes from "./Data.module.css";
import { Findings } from "./Findings";

const MANY = 20;

type Query = (rows: number) => ReturnType<typeof previewQuery | typeof picturePreviewQuery>;
export type Rows = { preview: UseQueryResult<DatasetPreview>; onMore: (() => void) | null };

/** The first `few` rows; `onMore` asks for more, where there are more to see. */
export function useRows(dataset: Dataset, few: number, query: Query): Rows {
  const [rows, setRows] = useState(few);
  const preview = useQuery({ ...query(rows), placeholderData: keepPreviousData });
  return { preview, onMore: rows < MANY && dataset.rows > rows ? () => setRows(MANY) : null };
}

/** One of the numbers. */
export function Fact({ name, wide, children }: { name: ReactNode; wide?: boolean; children: ReactNode }) {
  return (
    <div data-wide={wide || undefined}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

type Counted = { findings: Dataset["findings"] } | null;
type Props = {
  dataset: Dataset;
  preview: Rows["preview"];
  counted: Counted; // of all rows, where a model looks at them
  facts: ReactNode;
  children: (rows: DatasetPreview["rows"]) => ReactNode;
};

export function DataFacts({ dataset, preview, counted, facts, children }: Props) {
  const t = useT();
  return (
    <div className={classes.facts}>
      <p className={classes.file}>
        {dataset.name} <span>{bytes(dataset.bytes)}</span>
      </p>
      <dl className={classes.list}>{facts}</dl>
      <Findings findings={[...dataset.findings, ...(counted?.findings ?? [])]} all={counted !== null} />
      {preview.error ? (
        <ErrorNote error={preview.error} onRetry={() => void preview.refetch()} compact />
      ) : null}
      {preview.isPending ? <p className={classes.quiet}>{t("preview.waiting")}</p> : null}
      {preview.data ? children(preview.data.rows) : null}
    </div>
  );
}
