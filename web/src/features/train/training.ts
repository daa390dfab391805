/** The run that is watched: asked for here or opened again, followed from its first event, ordered about. Knows stores and
 *  API; draws nothing. Lives as long as the page is open, so that a visit to another screen ends nothing. */
import { create } from "zustand";
import { isTerminal, type RunEvent } from "@/api/events";
import { type LearnAsked, type LearnRun, startLearning } from "@/api/learn";
import { cancelRun } from "@/api/runs";
import { subscribe } from "@/api/stream/pageStream";
import { followRun } from "@/api/stream/runStream";
import {
  getTraining,
  type PlanJson,
  pauseTraining,
  saveTraining,
  startTraining,
  type TrainAsked,
  type TrainRun,
} from "@/api/train";
import { type Course, newCourse, type RunKind, received } from "./logic/course";
import { useDraft } from "./logic/draft";
import { fromPicturePlanJson } from "./logic/picturePlan";
import { fromPlanJson, withChange } from "./logic/plan";
import type { Makes } from "./logic/ready";
import { fromSliderJson } from "./logic/slider";

export type Order = "save" | "pause" | "cancel";

interface Training {
  course: Course | null;
  /** What was asked, and whether it can go on; null until the server has told. */
  run: TrainRun | LearnRun | null;
  ordered: Order | null; // heard by the server, not yet followed
  error: unknown;
}

const NOTHING: Training = { course: null, run: null, ordered: null, error: null };
export const useTraining = create<Training>(() => NOTHING);

const LAST_KEY = "imfine.train.run";
const FLUSH_MS = 80; // events of a long log come by the thousand

let unfollow: (() => void) | null = null;
let waiting: RunEvent[] = [];
let due = false;

function take(event: RunEvent): void {
  waiting.push(event);
  if (!due) setTimeout(flush, FLUSH_MS);
  due = true;
}

function flush(): void {
  due = false;
  const events = waiting;
  waiting = [];
  const { course } = useTraining.getState();
  if (course === null) return;
  const next = events.reduce(received, course);
  useTraining.setState({ course: next });
  if (isTerminal(next.state) && !isTerminal(course.state)) {
    useTraining.setState({ ordered: null });
    void tell(next.run);
  }
}

/** What the server knows of the run beside its events. */
async function tell(id: string): Promise<void> {
  try {
    const run = await getTraining(id);
    useTraining.setState(({ course }) => (course?.run === id ? { run } : {}));
  } catch (error) {
    useTraining.setState(({ course }) => (course?.run === id ? { error } : {}));
  }
}

function watch(id: string, name: string, kind: RunKind | null, follow: () => () => void): void {
  unfollow?.();
  waiting = [];
  localStorage.setItem(LAST_KEY, id);
  useTraining.setState({ ...NOTHING, course: newCourse(id, name, kind) });
  unfollow = follow();
}

/** Asks for a run and watches it. Rejects when the server refuses. */
export const start = async (asked: TrainAsked): Promise<void> => begun(await startTraining(asked));
export const startKnob = async (asked: LearnAsked): Promise<void> => begun(await startLearning(asked));

function begun(run: TrainRun | LearnRun): void {
  watch(run.id, run.name, run.kind, () => subscribe(run.id, take));
  useTraining.setState({ run });
}

/** A run of before a reload, of another page or of another day: its whole log, then what comes. */
export function open(id: string): void {
  if (useTraining.getState().course?.run === id) return;
  watch(id, "", null, () =>
    followRun(id, take, (error) => {
      if (error.status === 404) dismiss();
      else useTraining.setState({ error });
    }),
  );
  void tell(id);
}

/** After a reload: what was watched. */
export function openLast(): void {
  const last = localStorage.getItem(LAST_KEY);
  if (last !== null) open(last);
}

/** Lets go of a run that has ended, with what it was asked laid out again; `change`: what to do otherwise. */
export function setUpAnew(kind: Makes, change: PlanJson = {}): void {
  const { run } = useTraining.getState();
  if (run?.kind === "learn") {
    const slider = fromSliderJson(run.request);
    const { batch = slider.batch, lr } = change;
    useDraft.setState({ way: "words", slider: { ...slider, batch, lr: lr ?? slider.lr }, knob: run.name });
  } else if (run !== null) {
    const { dataset, plan } = run.request;
    const plans =
      kind === "image"
        ? { pictures: withChange(fromPicturePlanJson(plan), change) }
        : { plan: withChange(fromPlanJson(plan), change) };
    useDraft.setState({ dataset, name: null, ...plans });
  }
  dismiss();
}

/** Lets go of the run; it goes on where it runs. */
export function dismiss(): void {
  unfollow?.();
  unfollow = null;
  localStorage.removeItem(LAST_KEY);
  useTraining.setState(NOTHING);
}

const DO: Record<Order, (id: string) => Promise<unknown>> = {
  save: saveTraining,
  pause: pauseTraining,
  cancel: cancelRun,
};

export async function order(what: Order): Promise<void> {
  const { course } = useTraining.getState();
  if (course === null) return;
  useTraining.setState({ ordered: what, error: null });
  try {
    await DO[what](course.run);
  } catch (error) {
    useTraining.setState({ ordered: null, error });
  }
}

/** Goes on from the last checkpoint; `change`: with other settings than the run had. */
export async function resume(change: PlanJson = {}): Promise<void> {
  const { run } = useTraining.getState();
  if (run?.kind !== "train") return;
  const { model, revision, name, dataset, plan } = run.request;
  useTraining.setState({ error: null });
  try {
    await start({ model, revision, name, dataset, plan: { ...plan, ...change }, resumes: run.id });
  } catch (error) {
    useTraining.setState({ error });
  }
}
