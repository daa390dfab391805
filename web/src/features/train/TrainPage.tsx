/** Train: a model learns, from one's own examples or between two phrases. Knows which way was chosen and the run that is
 *  watched, no setting. `run`: a run to look at again. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { modelQuery } from "@/api/models";
import { datasetsQuery } from "@/api/train";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { DataSetup } from "./DataSetup";
import { KnobSetup } from "./KnobSetup";
import { LiveCard } from "./live/LiveCard";
import { type Compared, draws } from "./logic/course";
import { useDraft } from "./logic/draft";
import classes from "./TrainPage.module.css";
import { open, openLast, useTraining } from "./training";
import { useT } from "./words";

export type { Compared };

type Props = { model: string; run: string | null; onCompare: (compared: Compared) => void };

export default function TrainPage({ model, run, onCompare }: Props) {
  const t = useT();
  const client = useQueryClient();
  const way = useDraft((draft) => draft.way);
  const { course, run: watched } = useTraining();

  useEffect(() => {
    if (run === null) openLast();
    else open(run);
  }, [run]);

  const detail = useQuery({ ...modelQuery(model), enabled: model !== "" });
  const datasets = useQuery(datasetsQuery);

  const done = course?.result != null;
  useEffect(() => {
    if (done) void client.invalidateQueries({ queryKey: ["models"] });
  }, [done, client]);

  const id = watched?.kind === "train" ? watched.request.dataset : null;
  const learned = datasets.data?.find((dataset) => dataset.id === id) ?? null;
  const made =
    course === null
      ? "text"
      : course.kind === "learn"
        ? "knob"
        : (learned?.kind ?? (draws(course) ? "image" : "text"));
  const live =
    course === null ? null : (
      <LiveCard kind={made} course={course} datasetName={learned?.name ?? null} onCompare={onCompare} />
    );
  const setup = { model, live };

  return (
    <div className={classes.page}>
      <header className={classes.intro}>
        <h1>{t("title")}</h1>
        <p>{t("lead")}</p>
      </header>
      {detail.error ? <ErrorNote error={detail.error} onRetry={() => void detail.refetch()} /> : null}
      {!detail.data ? (
        <>
          <div className={classes.setup} />
          <div className={classes.run} data-course={live !== null || undefined}>
            {live}
          </div>
        </>
      ) : detail.data.layout.kind === "image" && way === "words" ? (
        <KnobSetup detail={detail.data} {...setup} />
      ) : (
        <DataSetup detail={detail.data} {...setup} />
      )}
    </div>
  );
}
