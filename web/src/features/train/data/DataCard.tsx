/** The examples: choosing, sending, what is in them, how the model reads them. Lays out its parts; knows the draft. */
import { IconFileText } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { type Dataset, datasetsQuery } from "@/api/train";
import { bytes } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { Card } from "@/shared/ui/Card";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { useFileDrop } from "@/shared/useFileDrop";
import { chooseDataset } from "../logic/draft";
import frame from "../TrainPage.module.css";
import { callOff, send, useUpload } from "../upload";
import { useT } from "../words";
import { Columns } from "./Columns";
import classes from "./Data.module.css";
import { Drop } from "./Drop";
import { Earlier } from "./Earlier";
import { Facts } from "./Facts";
import { lineErrors } from "./findingWords";
import { LineErrors } from "./LineErrors";
import { Shape } from "./Shape";

type Props = { dataset: Dataset | null; gone: boolean; model: string | null; length: number | null };

export function DataCard({ dataset, gone, model, length }: Props) {
  const t = useT();
  const client = useQueryClient();
  const { state, file, error } = useUpload();
  const [changing, setChanging] = useState(false);
  const earlier = useQuery(datasetsQuery);
  const busy = state === "sending" || state === "reading";
  const take = async (given: File, columns?: Record<string, string>) => {
    const taken = await send(given, columns);
    if (taken === null) return;
    client.setQueryData(datasetsQuery.queryKey, (items) => [
      taken,
      ...(items ?? []).filter(({ id }) => id !== taken.id),
    ]);
    chooseDataset(taken.id);
    setChanging(false);
  };
  const [several, setSeveral] = useState(false);
  const onFiles = (files: readonly File[]) => {
    setSeveral(files.length > 1);
    const [given] = files;
    if (given && files.length === 1) void take(given);
  };
  const { over } = useFileDrop(onFiles);
  const choosing = !busy && (dataset === null || changing || state === "failed");
  const columns = error?.params.reason === "columns" && Array.isArray(error.params.columns);
  const lines = error ? lineErrors(error.params) : null;

  return (
    <Card aria-labelledby="train-data">
      <header className={frame.head}>
        <h2 id="train-data">{t("data.title")}</h2>
        {dataset && !choosing && !busy ? (
          <Button kind="quiet" size="small" onClick={() => setChanging(true)}>
            {t("data.other")}
          </Button>
        ) : null}
        {dataset && choosing ? (
          <Button
            kind="quiet"
            size="small"
            onClick={() => {
              callOff();
              setChanging(false);
            }}
          >
            {t("data.cancel")}
          </Button>
        ) : null}
      </header>
      {busy ? <Sending /> : null}
      {several ? (
        <p role="alert" className={classes.warn}>
          {t("data.several")}
        </p>
      ) : null}
      {state === "failed" && error && file ? (
        <div className={classes.failed}>
          <h3>{t("data.failed", { name: file.name })}</h3>
          {columns ? (
            <Columns
              names={(error.params.columns as unknown[]).map(String)}
              onTake={(mapping) => void take(file, mapping)}
            />
          ) : lines && lines.errors.length > 0 ? (
            <LineErrors {...lines} />
          ) : (
            <ErrorNote error={error} />
          )}
        </div>
      ) : null}
      {gone && choosing && state === "idle" ? <p className={classes.quiet}>{t("data.gone")}</p> : null}
      {choosing ? (
        <>
          <Drop first={dataset === null} over={over} onFiles={onFiles} />
          <Earlier
            datasets={earlier.data ?? []}
            onChoose={(id) => {
              callOff();
              chooseDataset(id);
              setChanging(false);
            }}
          />
          <Shape onFile={(given) => void take(given)} />
        </>
      ) : null}
      {dataset && !choosing && !busy ? <Facts dataset={dataset} model={model} length={length} /> : null}
    </Card>
  );
}

function Sending() {
  const t = useT();
  const { state, file, sent, total } = useUpload();
  if (!file) return null;
  const words =
    state === "sending"
      ? t("data.sending", { name: file.name, sent: bytes(sent), total: bytes(total) })
      : t("data.reading", { name: file.name });
  return (
    <div className={classes.sending}>
      <IconFileText size={22} stroke={1.6} aria-hidden />
      <div className={classes.sendingWords}>
        <span role="status">{words}</span>
        {state === "sending" ? (
          <progress className={frame.bar} value={sent} max={Math.max(total, 1)} aria-label={words} />
        ) : (
          <progress className={frame.bar} aria-label={words} />
        )}
      </div>
      <Button size="small" onClick={callOff}>
        {t("data.cancel")}
      </Button>
    </div>
  );
}
