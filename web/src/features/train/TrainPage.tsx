/** Train: a model learns from one's own examples. Lays out the parts and ties the chosen model to them; knows no part's
 *  inside. `run`: a run to look at again. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { modelQuery, modelsQuery } from "@/api/models";
import { datasetsQuery, estimateQuery } from "@/api/train";
import { asImfineError, type ImfineError } from "@/shared/errors";
import { useErrorWords } from "@/shared/i18n/errorWords";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { ReadyCard } from "./budget/ReadyCard";
import { DataCard } from "./data/DataCard";
import { Facts } from "./data/Facts";
import { PictureFacts } from "./data/PictureFacts";
import { LiveCard } from "./live/LiveCard";
import { type Compared, draws } from "./logic/course";
import { setName, useDraft } from "./logic/draft";
import { isName, suggestName } from "./logic/name";
import { METHODS } from "./logic/plan";
import { obstacles } from "./logic/ready";
import classes from "./TrainPage.module.css";
import { open, openLast, start, useTraining } from "./training";
import { SETTLED_MS, usePictureSetup, useTextSetup } from "./useSetup";
import { PictureWhatCard } from "./what/PictureWhatCard";
import { WhatCard } from "./what/WhatCard";
import { useT } from "./words";

export type { Compared };

type Props = { model: string; run: string | null; onCompare: (compared: Compared) => void };

export default function TrainPage({ model, run, onCompare }: Props) {
  const t = useT();
  const client = useQueryClient();
  const draft = useDraft();
  const { course, run: watched } = useTraining();

  useEffect(() => {
    if (run === null) openLast();
    else open(run);
  }, [run]);

  const detail = useQuery({ ...modelQuery(model), enabled: model !== "" });
  const models = useQuery(modelsQuery);
  const datasets = useQuery(datasetsQuery);
  const layout = detail.data?.layout ?? null;
  const kind = layout?.kind ?? null;
  const dataset = datasets.data?.find(({ id }) => id === draft.dataset) ?? null;
  const reader = detail.data?.card.ready ? model : null; // before it is here, its tokenizer is not known

  const text = useTextSetup(kind === "text" ? layout : null, reader, dataset);
  const pictures = usePictureSetup(kind === "image" ? layout : null, dataset);
  const setup = kind === "image" ? pictures : text;
  const [settled] = useDebouncedValue(setup.plan, SETTLED_MS);
  const estimate = useQuery({
    ...estimateQuery(model, settled),
    enabled: kind !== null && setup.learns,
    placeholderData: keepPreviousData,
  });

  const suggested = useMemo(
    () => suggestName(model, dataset?.name ?? "trained", models.data?.map(({ id }) => id) ?? []),
    [model, dataset, models.data],
  );
  const name = draft.name ?? suggested;
  const found = obstacles({
    kind: kind ?? "text",
    dataset,
    trained: setup.trained,
    learns: setup.learns,
    fits: estimate.data?.fits ?? null,
    nameIsGood: isName(name),
  });

  const [starting, setStarting] = useState(false);
  const [refused, setRefused] = useState<ImfineError | null>(null);
  const words = useErrorWords();
  const aboutName = refused?.field === "name" ? refused : null;
  const begin = async () => {
    if (dataset === null) return;
    setRefused(null);
    setStarting(true);
    try {
      await start({ model, name, dataset: dataset.id, plan: setup.plan });
      setName(null);
    } catch (thrown) {
      setRefused(asImfineError(thrown));
    }
    setStarting(false);
  };

  const done = course?.result != null;
  useEffect(() => {
    if (done) void client.invalidateQueries({ queryKey: ["models"] });
  }, [done, client]);

  const learned = datasets.data?.find(({ id }) => id === watched?.request.dataset) ?? null;
  const counted = { estimate: estimate.data ?? null, counting: estimate.isFetching };
  const methods = detail.data?.methods ?? METHODS.filter((one) => one !== "qlora");

  return (
    <div className={classes.page}>
      <header className={classes.intro}>
        <h1>{t("title")}</h1>
        <p>{t("lead")}</p>
      </header>
      {detail.error ? <ErrorNote error={detail.error} onRetry={() => void detail.refetch()} /> : null}
      <div className={classes.setup}>
        {kind === null ? null : (
          <DataCard
            kind={kind}
            dataset={dataset}
            gone={draft.dataset !== null && datasets.isSuccess && dataset === null}
          >
            {dataset?.kind === "image" ? (
              <PictureFacts dataset={dataset} pixels={kind === "image" ? pictures.pixels : null} />
            ) : dataset ? (
              <Facts
                dataset={dataset}
                model={kind === "text" ? reader : null}
                length={kind === "text" ? text.length : null}
              />
            ) : null}
          </DataCard>
        )}
        {kind === "text" ? (
          <WhatCard
            layers={layout?.layers ?? 0}
            context={text.context}
            size={text.size}
            methods={methods}
            {...counted}
          />
        ) : null}
        {kind === "image" ? <PictureWhatCard {...pictures} methods={methods} {...counted} /> : null}
      </div>
      <div className={classes.run} data-course={course !== null || undefined}>
        {course !== null ? (
          <LiveCard
            kind={learned?.kind ?? (draws(course) ? "image" : "text")}
            course={course}
            datasetName={learned?.name ?? null}
            onCompare={onCompare}
          />
        ) : kind !== null ? (
          <ReadyCard
            kind={kind}
            model={model}
            dataset={dataset}
            looked={setup.looked}
            plan={setup.plan}
            estimate={{
              data: setup.learns ? (estimate.data ?? null) : null,
              busy: estimate.isFetching,
              error: estimate.error,
              retry: () => void estimate.refetch(),
            }}
            name={{ value: name, good: isName(name), error: aboutName ? words(aboutName).cause : null }}
            obstacles={found}
            starting={starting}
            refused={aboutName ? null : refused}
            onStart={() => void begin()}
          />
        ) : null}
      </div>
    </div>
  );
}
