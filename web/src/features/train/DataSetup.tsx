/** Set up from examples: the data, what is taught, and what it takes; or, in its place, the run that is watched. Ties the
 *  chosen model to the parts; knows no part's inside. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type ReactNode, useMemo } from "react";
import { modelsQuery } from "@/api/models";
import { datasetsQuery, estimateQuery } from "@/api/train";
import type { ModelDetail } from "@/api/types";
import { useErrorWords } from "@/shared/i18n/errorWords";
import { ReadyCard } from "./budget/ReadyCard";
import { DataCard } from "./data/DataCard";
import { Facts } from "./data/Facts";
import { PictureFacts } from "./data/PictureFacts";
import { WayChoice } from "./knob/WayChoice";
import { setName, useDraft } from "./logic/draft";
import { isName, suggestName } from "./logic/name";
import { obstacles } from "./logic/ready";
import classes from "./TrainPage.module.css";
import { start } from "./training";
import { SETTLED_MS, usePictureSetup, useTextSetup } from "./useSetup";
import { useStart } from "./useStart";
import { PictureWhatCard } from "./what/PictureWhatCard";
import { WhatCard } from "./what/WhatCard";

type Props = { model: string; detail: ModelDetail; live: ReactNode };

export function DataSetup({ model, detail: { card, layout, methods }, live }: Props) {
  const draft = useDraft();
  const models = useQuery(modelsQuery);
  const datasets = useQuery(datasetsQuery);
  const { kind } = layout;
  const dataset = datasets.data?.find(({ id }) => id === draft.dataset) ?? null;
  const reader = card.ready ? model : null; // before it is here, its tokenizer is not known

  const text = useTextSetup(kind === "text" ? layout : null, reader, dataset);
  const pictures = usePictureSetup(kind === "image" ? layout : null, dataset);
  const setup = kind === "image" ? pictures : text;
  const [settled] = useDebouncedValue(setup.plan, SETTLED_MS);
  const estimate = useQuery({
    ...estimateQuery(model, settled),
    enabled: setup.learns,
    placeholderData: keepPreviousData,
  });

  const suggested = useMemo(
    () => suggestName(model, dataset?.name ?? "trained", models.data?.map(({ id }) => id) ?? []),
    [model, dataset, models.data],
  );
  const name = draft.name ?? suggested;
  const found = obstacles({
    kind,
    dataset,
    trained: setup.trained,
    learns: setup.learns,
    fits: estimate.data?.fits ?? null,
    nameIsGood: isName(name),
  });

  const { starting, refused, begin } = useStart();
  const words = useErrorWords();
  const aboutName = refused?.field === "name" ? refused : null;
  const onStart = () =>
    dataset &&
    begin(async () => {
      await start({ model, name, dataset: dataset.id, plan: setup.plan });
      setName(null);
    });
  const counted = { estimate: estimate.data ?? null, counting: estimate.isFetching };

  return (
    <>
      <div className={classes.setup}>
        {kind === "image" ? <WayChoice /> : null}
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
        {kind === "text" ? (
          <WhatCard
            layers={layout.layers}
            context={text.context}
            size={text.size}
            methods={methods}
            {...counted}
          />
        ) : (
          <PictureWhatCard {...pictures} methods={methods} {...counted} />
        )}
      </div>
      <div className={classes.run} data-course={live !== null || undefined}>
        {live ?? (
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
            onStart={() => void onStart()}
          />
        )}
      </div>
    </>
  );
}
