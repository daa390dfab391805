/** A run that trains or learns a knob, or has: where it is, how it goes, what can be ordered, what came of it. Lays out its
 *  parts. */
import { IconDeviceFloppy, IconPlayerPause, IconPlayerPlay, IconX } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { isTerminal } from "@/api/events";
import type { PlanJson } from "@/api/train";
import { ImfineError } from "@/shared/errors";
import { bytes, duration, number } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { Card } from "@/shared/ui/Card";
import { Chip } from "@/shared/ui/Chip";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Help } from "@/shared/ui/Help";
import { type Compared, type Course, promptsOf } from "../logic/course";
import type { Makes } from "../logic/ready";
import frame from "../TrainPage.module.css";
import { dismiss, order, resume, setUpAnew, useTraining } from "../training";
import { Offer } from "../ui/Offer";
import { useT } from "../words";
import { KnobResult } from "./KnobResult";
import classes from "./LiveCard.module.css";
import { LossChart } from "./LossChart";
import { PictureSamples } from "./PictureSamples";
import { Result } from "./Result";
import { RunLog } from "./RunLog";
import { Samples } from "./Samples";

type Props = {
  kind: Makes;
  course: Course;
  datasetName: string | null;
  onCompare: (compared: Compared) => void;
};

export function LiveCard({ kind, course, datasetName, onCompare }: Props) {
  const t = useT();
  const { run, error } = useTraining();
  const over = isTerminal(course.state);
  const paused = course.state === "cancelled" && (run?.resumable ?? null) !== null;
  const name = course.name || run?.name || "";
  return (
    <Card aria-labelledby="train-live" className={classes.card} accent={course.result ? "delta" : undefined}>
      <header className={frame.head}>
        <div>
          <h2 id="train-live">{name}</h2>
          {run ? (
            <p className={classes.quiet}>
              {t("live.from", { model: run.request.model, dataset: datasetName ?? run.prompt })}
            </p>
          ) : null}
        </div>
        <Chip
          tone={course.state === "failed" ? "collapse" : course.state === "cancelled" ? "plain" : "delta"}
        >
          {paused ? t("live.paused") : t(`live.state.${course.state}`)}
        </Chip>
      </header>
      {course.result?.type === "slider_result" ? (
        <KnobResult
          result={course.result}
          name={name}
          run={run?.kind === "learn" ? run : null}
          onCompare={onCompare}
        />
      ) : course.result && kind !== "knob" ? (
        <Result
          kind={kind}
          result={course.result}
          name={name}
          onCompare={
            run &&
            (({ model: trained }) => {
              const [first] = promptsOf(course.samples);
              onCompare({ trained, original: run.request.model, kind, prompt: first?.[1] ?? "" });
            })
          }
        />
      ) : null}
      {course.state === "failed" && course.error ? <Failure kind={kind} course={course} /> : null}
      {error ? <ErrorNote error={error} /> : null}
      {over ? null : <Progress kind={kind} course={course} />}
      <Numbers kind={kind} course={course} />
      <Orders kind={kind} course={course} />
      <Notices course={course} />
      <LossChart course={course} />
      {kind === "image" ? <PictureSamples samples={course.samples} over={over} /> : null}
      {kind === "text" ? <Samples samples={course.samples} over={over} /> : null}
      <RunLog lines={course.lines} />
    </Card>
  );
}

const PHASES = ["downloading", "loading", "measuring", "saving", "waiting", "working"] as const;

type PartProps = { kind: Makes; course: Course };

function Progress({ kind, course }: PartProps) {
  const t = useT();
  const { state, phase, position, attempt, curve, steps } = course;
  const known = PHASES.find((one) => one === phase?.phase);
  const phaseWords = (name: Exclude<(typeof PHASES)[number], "measuring">) =>
    t(name === "loading" && kind === "knob" ? "live.loadingModel" : `live.phase.${name}`);
  const begun = curve.length > 0 ? "working" : "loading";
  const words =
    state === "queued"
      ? position === null
        ? t("live.queued")
        : position === 0
          ? t("live.queuedNext")
          : t("live.queuedAt", { count: position })
      : known === "measuring" && kind !== "knob"
        ? t(`live.measuring.${kind}`)
        : known === "working" && kind !== "text" && phase?.unit === "parts"
          ? t(`live.drawing.${kind}`)
          : phaseWords(known === undefined || known === "measuring" ? begun : known);
  const counted = phase?.total && phase.unit !== "steps" ? phase : null;
  const amount = counted?.unit === "bytes" ? bytes : number;
  const share = counted ? counted.done / (counted.total ?? 1) : steps > 0 ? curve.last / steps : null;
  return (
    <div className={classes.progress}>
      <p role="status">
        {words}
        {counted ? (
          <span className={classes.quiet}>
            {" "}
            {amount(counted.done)} / {amount(counted.total ?? 0)}
          </span>
        ) : null}
      </p>
      {share === null ? (
        <progress className={frame.bar} aria-label={t("live.progress")} />
      ) : (
        <progress className={frame.bar} value={share} aria-label={t("live.progress")} />
      )}
      {attempt > 1 ? (
        <p className={classes.quiet}>
          {t(kind === "knob" ? "live.attemptAnew" : "live.attempt", { n: attempt })}
        </p>
      ) : null}
    </div>
  );
}

function Numbers({ kind, course }: PartProps) {
  const t = useT();
  const { curve, steps, epoch, tokensPerSecond, etaSeconds, evaluations, result } = course;
  if (curve.length === 0) return null;
  const loss = curve.at("loss", curve.length - 1);
  const held = evaluations.at(-1);
  const over = isTerminal(course.state);
  return (
    <dl className={classes.numbers}>
      <One
        name={t("live.steps")}
        value={t("live.stepsOf", { step: number(curve.last), steps: number(steps) })}
      />
      {kind === "knob" ? null : <One name={t("live.rounds")} value={number(epoch, 1)} />}
      <One
        name={t("live.loss")}
        help={t(`live.lossHelp.${kind}`)}
        value={number(loss ?? 0, kind === "knob" ? 4 : 3)}
      />
      {held ? <One name={t("live.evalLoss")} help={t("live.evalHelp")} value={number(held.loss, 3)} /> : null}
      <One
        name={t(`live.speed.${kind === "text" ? "text" : "image"}`)}
        value={number(tokensPerSecond, kind !== "text" && tokensPerSecond < 10 ? 1 : 0)}
      />
      {over || etaSeconds === null ? null : <One name={t("live.left")} value={duration(etaSeconds)} />}
      {result ? <One name={t("live.took")} value={duration(result.seconds)} /> : null}
    </dl>
  );
}

function One({ name, help, value }: { name: string; help?: string; value: string }) {
  return (
    <div>
      <dt>
        {name}
        {help ? <Help about={name}>{help}</Help> : null}
      </dt>
      <dd>{value}</dd>
    </div>
  );
}

function Orders({ kind, course }: PartProps) {
  const t = useT();
  const { run, ordered } = useTraining();
  const [sure, setSure] = useState(false);
  const icon = { size: 17, stroke: 1.8, "aria-hidden": true } as const;
  const resumable = remedyOf(course) === null ? (run?.resumable ?? null) : null; // else it would end so again
  if (isTerminal(course.state))
    return (
      <Bar>
        {resumable ? (
          <Button kind="primary" onClick={() => void resume()}>
            <IconPlayerPlay {...icon} />
            {t("live.resume", { step: resumable.step })}
          </Button>
        ) : null}
        {course.result ? (
          <Button onClick={dismiss}>{t("live.another")}</Button>
        ) : (
          <Button onClick={() => setUpAnew(kind)}>{t("live.again")}</Button>
        )}
      </Bar>
    );
  if (ordered)
    return (
      <Bar>
        <span role="status" className={classes.quiet}>
          {t(`live.ordered.${ordered}`)}
        </span>
      </Bar>
    );
  if (sure)
    return (
      <Bar>
        <span>{t("live.cancelSure")}</span>
        <Button kind="danger" size="small" onClick={() => void order("cancel")}>
          {t("live.cancelYes")}
        </Button>
        <Button size="small" onClick={() => setSure(false)}>
          {t("live.cancelNo")}
        </Button>
      </Bar>
    );
  const begun = course.curve.length > 0;
  return (
    <Bar>
      {kind === "knob" ? null : (
        <>
          <Button title={t("live.saveHelp")} disabled={!begun} onClick={() => void order("save")}>
            <IconDeviceFloppy {...icon} />
            {t("live.save")}
          </Button>
          <Button title={t("live.pauseHelp")} disabled={!begun} onClick={() => void order("pause")}>
            <IconPlayerPause {...icon} />
            {t("live.pause")}
          </Button>
        </>
      )}
      <Button kind="danger" onClick={() => (begun ? setSure(true) : void order("cancel"))}>
        <IconX {...icon} />
        {t("live.cancel")}
      </Button>
      {course.saved === null ? null : (
        <span className={classes.quiet}>{t("live.checkpoint", { step: number(course.saved) })}</span>
      )}
    </Bar>
  );
}

const Bar = ({ children }: { children: ReactNode }) => <div className={classes.orders}>{children}</div>;

/** Settings that a run can be changed in while it goes on; with another of these it is another run. */
const GOES_ON = ["lr", "clip", "batch", "accumulation", "checkpointing"];

/** What the server would change so that it does not end so again; null: nothing. */
function remedyOf({ state, error }: Course): PlanJson | null {
  const change = state === "failed" ? (error?.params.change as PlanJson | undefined) : undefined;
  return change && Object.keys(change).length > 0 ? change : null;
}

/** Why it ended, and the settings with which it would not have. */
function Failure({ kind, course }: PartProps) {
  const t = useT();
  const { run } = useTraining();
  const { error } = course;
  if (!error) return null;
  const change = remedyOf(course);
  const goesOn = run?.resumable != null && Object.keys(change ?? {}).every((name) => GOES_ON.includes(name));
  return (
    <>
      <ErrorNote error={new ImfineError(error, 422)} />
      {change !== null && run !== null ? (
        <Offer
          title={t("offer.failed")}
          action={t(goesOn ? "offer.goOn" : "offer.take")}
          change={change}
          onTake={() => (goesOn ? void resume(change) : setUpAnew(kind, change))}
        />
      ) : null}
    </>
  );
}

const NOTICES = [
  "rows_left_out",
  "rows_full",
  "captions_cut",
  "nothing_held_out",
  "held_out_repeats",
  "language",
  "checkpoint_passed_over",
] as const;

function Notices({ course }: { course: Course }) {
  const t = useT();
  if (course.notices.length === 0) return null;
  return (
    <ul className={classes.notices}>
      {course.notices.map(({ code, message, params }) => {
        const known = NOTICES.find((one) => one === code);
        return <li key={code}>{known ? t(`notice.${known}`, params) : message}</li>;
      })}
    </ul>
  );
}
