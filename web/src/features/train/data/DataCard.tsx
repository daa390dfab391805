/** The examples: choosing and sending them. Lays out its parts; knows the draft, not what is in a data set. */
import { IconFileText } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { type Dataset, datasetsQuery } from "@/api/train";
import { bytes, number } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { Card } from "@/shared/ui/Card";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { useFileDrop } from "@/shared/useFileDrop";
import { chooseDataset } from "../logic/draft";
import type { Kind } from "../logic/ready";
import frame from "../TrainPage.module.css";
import { callOff, fetchFromHub, send, useUpload } from "../upload";
import { useT } from "../words";
import { Columns } from "./Columns";
import classes from "./Data.module.css";
import { Drop } from "./Drop";
import { Earlier } from "./Earlier";
import { FromHub } from "./FromHub";
import { lineErrors } from "./findingWords";
import { LineErrors } from "./LineErrors";
import { PictureShape } from "./PictureShape";
import { Shape } from "./Shape";

type Props = {
  kind: Kind; // of what the model learns from
  dataset: Dataset | null;
  gone: boolean;
  children: ReactNode; // what is in the data set
};

export function DataCard({ kind, dataset, gone, children }: Props) {
  const t = useT();
  const client = useQueryClient();
  const { state, name, hub, error, again } = useUpload();
  const [changing, setChanging] = useState(false);
  const earlier = useQuery(datasetsQuery);
  const busy = state !== "idle" && state !== "failed";
  const take = async (coming: Promise<Dataset | null>) => {
    const taken = await coming;
    if (taken === null) return;
    client.setQueryData(datasetsQuery.queryKey, (items) => [
      taken,
      ...(items ?? []).filter(({ id }) => id !== taken.id),
    ]);
    chooseDataset(taken.id);
    setChanging(false);
  };
  const onFiles = (files: readonly File[]) => {
    if (files.length > 0) void take(send(files));
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
      {state === "failed" && error ? (
        <div className={classes.failed}>
          <h3>{t("data.failed", { name })}</h3>
          {columns && again ? (
            <Columns
              names={(error.params.columns as unknown[]).map(String)}
              onTake={(mapping) => void take(again(mapping))}
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
          <Drop kind={kind} first={dataset === null} over={over} onFiles={onFiles} />
          <FromHub
            failed={hub && state === "failed" ? name : null}
            onTake={(id) => void take(fetchFromHub(id))}
          />
          <Earlier
            kind={kind}
            datasets={earlier.data ?? []}
            onChoose={(id) => {
              callOff();
              chooseDataset(id);
              setChanging(false);
            }}
          />
          {kind === "text" ? <Shape onFile={(given) => void take(send([given]))} /> : <PictureShape />}
        </>
      ) : null}
      {dataset && !choosing && !busy ? children : null}
    </Card>
  );
}

function Sending() {
  const t = useT();
  const { state, name, sent, total } = useUpload();
  const words =
    state === "packing"
      ? t("data.packing", { name, sent: number(sent), total: number(total) })
      : state === "sending"
        ? t("data.sending", { name, sent: bytes(sent), total: bytes(total) })
        : state === "fetching"
          ? t(total > 0 ? "data.fetching" : "data.asking", { name, sent: bytes(sent), total: bytes(total) })
          : t("data.reading", { name });
  return (
    <div className={classes.sending}>
      <IconFileText size={22} stroke={1.6} aria-hidden />
      <div className={classes.sendingWords}>
        <span role="status">{words}</span>
        {state !== "reading" && total > 0 ? (
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
