/** What is in the chosen texts, what one should know of them, and their first rows as the model reads them. */
import { type Dataset, previewQuery } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { Help } from "@/shared/ui/Help";
import { useT } from "../words";
import { DataFacts, Fact, useRows } from "./DataFacts";
import { Preview } from "./Preview";

type Props = { dataset: Dataset; model: string | null; length: number | null };

const FEW = 3;

export function Facts({ dataset, model, length }: Props) {
  const t = useT();
  const { preview, onMore } = useRows(dataset, FEW, (rows) => previewQuery(dataset.id, model, length, rows));
  const tokens = preview.data?.tokens ?? null;
  const told = tokens && {
    tokens: number(tokens.tokens),
    trained: number(tokens.trained),
    rows: number(tokens.rows),
  };
  const tokensName = (
    <>
      {t("data.tokens")}
      <Help about={t("data.tokens")}>{t("data.tokensHelp")}</Help>
    </>
  );
  const facts = (
    <>
      <Fact name={t("data.format")}>{t(`data.formats_of.${dataset.format}`)}</Fact>
      <Fact name={t("data.rows")}>{number(dataset.rows)}</Fact>
      {told ? (
        <Fact name={tokensName} wide>
          {t(tokens.rows < dataset.rows ? "data.tokensFirst" : "data.tokensOf", told)}
        </Fact>
      ) : null}
      {tokens ? (
        <Fact name={t("data.longest")}>{t("data.longestTokens", { count: tokens.longest })}</Fact>
      ) : null}
      {Object.keys(dataset.columns).length > 0 ? (
        <Fact name={t("data.columns")}>
          {Object.entries(dataset.columns)
            .map(([part, name]) => `${part} ← ${name}`)
            .join(", ")}
        </Fact>
      ) : null}
    </>
  );
  return (
    <DataFacts dataset={dataset} preview={preview} counted={tokens} facts={facts}>
      {(rows) => <Preview rows={rows} read={tokens !== null} onMore={onMore} />}
    </DataFacts>
  );
}
