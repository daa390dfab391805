/** What is in the chosen texts, what one should know of them, and their first rows as the model reads them. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type Dataset, previewQuery } from "@/api/train";
import { bytes, number } from "@/shared/i18n/format";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Help } from "@/shared/ui/Help";
import { useT } from "../words";
import classes from "./Data.module.css";
import { Findings } from "./Findings";
import { Preview } from "./Preview";

type Props = { dataset: Dataset; model: string | null; length: number | null };

const FEW = 3;
const MANY = 20;

export function Facts({ dataset, model, length }: Props) {
  const t = useT();
  const [rows, setRows] = useState(FEW);
  const preview = useQuery({
    ...previewQuery(dataset.id, model, length, rows),
    placeholderData: keepPreviousData,
  });
  const tokens = preview.data?.tokens ?? null;
  const findings = [...dataset.findings, ...(tokens?.findings ?? [])];
  const told = tokens && {
    tokens: number(tokens.tokens),
    trained: number(tokens.trained),
    rows: number(tokens.rows),
  };
  return (
    <div className={classes.facts}>
      <p className={classes.file}>
        {dataset.name} <span>{bytes(dataset.bytes)}</span>
      </p>
      <dl className={classes.list}>
        <div>
          <dt>{t("data.format")}</dt>
          <dd>{t(`data.formats_of.${dataset.format}`)}</dd>
        </div>
        <div>
          <dt>{t("data.rows")}</dt>
          <dd>{number(dataset.rows)}</dd>
        </div>
        {told ? (
          <div data-wide>
            <dt>
              {t("data.tokens")}
              <Help about={t("data.tokens")}>{t("data.tokensHelp")}</Help>
            </dt>
            <dd>{t(tokens.rows < dataset.rows ? "data.tokensFirst" : "data.tokensOf", told)}</dd>
          </div>
        ) : null}
        {tokens ? (
          <div>
            <dt>{t("data.longest")}</dt>
            <dd>{t("data.longestTokens", { count: tokens.longest })}</dd>
          </div>
        ) : null}
        {Object.keys(dataset.columns).length > 0 ? (
          <div>
            <dt>{t("data.columns")}</dt>
            <dd>
              {Object.entries(dataset.columns)
                .map(([part, name]) => `${part} ← ${name}`)
                .join(", ")}
            </dd>
          </div>
        ) : null}
      </dl>
      <Findings findings={findings} all={tokens !== null} />
      {preview.error ? (
        <ErrorNote error={preview.error} onRetry={() => void preview.refetch()} compact />
      ) : null}
      {preview.isPending ? <p className={classes.quiet}>{t("preview.waiting")}</p> : null}
      {preview.data ? (
        <Preview
          rows={preview.data.rows}
          read={tokens !== null}
          onMore={rows < MANY && dataset.rows > rows ? () => setRows(MANY) : null}
        />
      ) : null}
    </div>
  );
}
