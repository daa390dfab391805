/** Train: a model learns from one's own examples. Lays out the parts and ties the chosen model to them; knows no part's
 *  inside. `run`: a run to look at again. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useMemo, useState } from "react";
import { modelQuery, modelsQuery } from "@/api/models";
import { datasetsQuery, estimateQuery, previewQuery } from "@/api/train";
import { asImfineError, type ImfineError } from "@/shared/errors";
import { useErrorWords } from "@/shared/i18n/errorWords";
import { Card } from "@/shared/ui/Card";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { ReadyCard } from "./budget/ReadyCard";
import { DataCard } from "./data/DataCard";
import { LiveCard } from "./live/LiveCard";
import { setName, useDraft } from "./logic/draft";
import { isName, suggestName } from "./logic/name";
import { longestLength, METHODS, planJson, sizeFor } from "./logic/plan";
import { obstacles } from "./logic/ready";
import classes from "./TrainPage.module.css";
import { open, openLast, start, useTraining } from "./training";
import { WhatCard } from "./what/WhatCard";
import { useT } from "./words";

type Props = { model: string; run: string | null; onCompare: (model: string) => void };

const SETTLED_MS = 250; // after the last move of a setting
const FEW = 3; // rows of the preview

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
  const card = detail.data?.card ?? null;
  const text = card !== null && (layout?.kind ?? card.kind) !== "image";
  const layers = layout?.layers ?? card?.layers ?? 0;
  const context = layout?.context_length ?? card?.context_length ?? null;
  const dataset = datasets.data?.find(({ id }) => id === draft.dataset) ?? null;
  const reader = card?.ready ? model : null; // before it is here, its tokenizer is not known

  const [length] = useDebouncedValue(draft.plan.length ?? longestLength(context), SETTLED_MS);
  const preview = useQuery({
    ...previewQuery(dataset?.id ?? "", reader, length, FEW),
    enabled: dataset?.kind === "text",
  });
  const counted = preview.data?.tokens ?? null;
  const told = counted !== null && counted.rows === dataset?.rows ? counted : null; // of all examples
  const size = sizeFor(draft.plan, context, told);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a size is its two numbers
  const plan = useMemo(
    () => planJson(draft.plan, layers, size),
    [draft.plan, layers, size.batch, size.length],
  );
  const [settled] = useDebouncedValue(plan, SETTLED_MS);
  const estimate = useQuery({
    ...estimateQuery(model, settled),
    enabled: text,
    placeholderData: keepPreviousData,
  });

  const suggested = useMemo(
    () => suggestName(model, dataset?.name ?? "trained", models.data?.map(({ id }) => id) ?? []),
    [model, dataset, models.data],
  );
  const name = draft.name ?? suggested;
  const found = obstacles({
    dataset,
    trained: counted?.trained ?? null,
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
      await start({ model, name, dataset: dataset.id, plan });
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

  return (
    <div className={classes.page}>
      <header className={classes.intro}>
        <h1>{t("title")}</h1>
        <p>{t("lead")}</p>
      </header>
      {detail.error ? <ErrorNote error={detail.error} onRetry={() => void detail.refetch()} /> : null}
      <div className={classes.setup}>
        {card !== null && !text ? (
          <Card>
            <h2>{t("images.title", { model: card.name })}</h2>
            <p>{t("images.words")}</p>
          </Card>
        ) : (
          <>
            <DataCard
              dataset={dataset}
              gone={draft.dataset !== null && datasets.isSuccess && dataset === null}
              model={reader}
              length={length}
            />
            <WhatCard
              layers={layers}
              context={context}
              size={size}
              estimate={estimate.data ?? null}
              counting={estimate.isFetching}
              methods={detail.data?.methods ?? METHODS.filter((one) => one !== "qlora")}
            />
          </>
        )}
      </div>
      <div className={classes.run} data-course={course !== null || undefined}>
        {course !== null ? (
          <LiveCard
            course={course}
            datasetName={datasets.data?.find(({ id }) => id === watched?.request.dataset)?.name ?? null}
            onCompare={onCompare}
          />
        ) : text ? (
          <ReadyCard
            model={model}
            dataset={dataset}
            tokens={counted && { trained: counted.trained, problems: problemsOf(dataset, counted) }}
            plan={plan}
            estimate={{
              data: estimate.data ?? null,
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

type WithFindings = { findings: readonly unknown[] } | null;
const problemsOf = (...told: WithFindings[]): number =>
  told.reduce((sum, one) => sum + (one?.findings.length ?? 0), 0);
