/** Before it starts: are the data ready, does it fit, how long will it take, what is it called; and the start. */
import { IconPlayerPlay } from "@tabler/icons-react";
import type { Dataset, PlanJson } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { Card } from "@/shared/ui/Card";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Field } from "@/shared/ui/Field";
import { setName, takeChange } from "../logic/draft";
import type { Kind, Obstacle } from "../logic/ready";
import frame from "../TrainPage.module.css";
import { useT } from "../words";
import { Memory, type Told } from "./Memory";
import classes from "./ReadyCard.module.css";
import { Row } from "./Row";
import { Time } from "./Time";

type Props = {
  kind: Kind; // of what it learns from
  model: string;
  dataset: Dataset | null;
  /** Of the rows that were looked at: tokens to learn of text; null: not known (yet). */
  looked: { trained: number | null; problems: number } | null;
  plan: PlanJson;
  estimate: Told;
  name: { value: string; good: boolean; error: string | null };
  obstacles: readonly Obstacle[];
  starting: boolean;
  refused: unknown;
  onStart: () => void;
};

export function ReadyCard({
  kind,
  model,
  dataset,
  looked,
  plan,
  estimate,
  name,
  obstacles,
  starting,
  refused,
  onStart,
}: Props) {
  const t = useT();
  const [obstacle] = obstacles;
  return (
    <Card aria-labelledby="train-ready" className={classes.card}>
      <header className={frame.head}>
        <h2 id="train-ready">{t("ready.title")}</h2>
      </header>
      <dl className={classes.rows}>
        <DataRow kind={kind} dataset={dataset} looked={looked} obstacles={obstacles} />
        <Memory {...estimate} onTake={(change) => takeChange(kind, change)} />
        <Time
          kind={kind}
          asked={dataset && { model, dataset: dataset.id, plan }}
          can={!obstacles.some(stopsMeasuring)}
        />
      </dl>
      <Field
        label={t("ready.name")}
        value={name.value}
        maxLength={80}
        spellCheck={false}
        hint={t("ready.nameHint")}
        error={name.error ?? (name.good ? undefined : t("ready.nameBad"))}
        onChange={(event) => setName(event.target.value)}
      />
      {refused ? <ErrorNote error={refused} /> : null}
      <div className={classes.start}>
        <Button
          kind={dataset === null ? "plain" : "primary"}
          disabled={obstacle !== undefined}
          busy={starting}
          onClick={onStart}
        >
          <IconPlayerPlay size={18} aria-hidden />
          {t(starting ? "ready.starting" : "ready.start")}
        </Button>
        {obstacle ? (
          <span className={classes.why}>
            {t(obstacle === "no_data" ? `ready.whyNoData.${kind}` : `ready.why.${obstacle}`)}
          </span>
        ) : null}
      </div>
    </Card>
  );
}

const stopsMeasuring = (obstacle: Obstacle): boolean => obstacle !== "bad_name";

const WRONG_DATA = ["pictures", "texts", "unreadable"] as const;

function DataRow({
  kind,
  dataset,
  looked,
  obstacles,
}: Pick<Props, "kind" | "dataset" | "looked" | "obstacles">) {
  const t = useT();
  const stop = WRONG_DATA.find((one) => obstacles.includes(one));
  if (dataset === null)
    return (
      <Row label={t("ready.data")} state="open">
        {t(`ready.none.${kind}`)}
      </Row>
    );
  if (stop)
    return (
      <Row label={t("ready.data")} state="wrong">
        {t(`ready.${stop}`)}
      </Row>
    );
  return (
    <Row label={t("ready.data")} state="good">
      {looked !== null && looked.trained !== null
        ? t("ready.dataTokens", { count: dataset.rows, trained: number(looked.trained) })
        : t(`ready.dataFine.${kind}`, { count: dataset.rows })}
      {looked && looked.problems > 0 ? (
        <span className={classes.quiet}> {t("ready.problems", { count: looked.problems })}</span>
      ) : null}
    </Row>
  );
}
