/** Events → how a training run goes. A state and an event in, a state out; only the curve grows in place, and `revision`
 *  tells that it did. What belongs to an older attempt is dropped; a new one cuts back to where it goes on. */
import type { RunEvent, RunState, StateEvent } from "@/api/events";
import type { SliderResult } from "@/api/learn";
import { withLine } from "@/api/logLines";
import type { SampledPicture, TrainResult } from "@/api/train";
import type { ErrorBody } from "@/shared/errors";
import { Curve } from "./curve";

export type Evaluation = { step: number; loss: number; perplexity: number | null }; // null: of pictures
/** `picture`: of a model that draws; then there is no text. */
export type Sample = {
  step: number;
  index: number;
  prompt: string;
  text: string;
  picture: SampledPicture | null;
};
export type Notice = { code: string; message: string; params: Record<string, unknown> };

export type RunKind = StateEvent["kind"];

export interface Course {
  run: string;
  name: string;
  kind: RunKind | null; // null: not told yet
  attempt: number;
  state: RunState;
  position: number | null;
  phase: { phase: string; done: number; total: number | null; unit: string } | null;
  error: ErrorBody | null;
  steps: number; // of the whole run; 0: not known yet
  epoch: number;
  tokens: number;
  tokensPerSecond: number;
  etaSeconds: number | null;
  curve: Curve;
  revision: number;
  evaluations: readonly Evaluation[];
  samples: readonly Sample[];
  saved: number | null; // step of the last checkpoint
  notices: readonly Notice[];
  result: TrainResult | SliderResult | null;
  lines: readonly string[];
}

export function newCourse(run: string, name: string, kind: RunKind | null = null): Course {
  return {
    run,
    name,
    kind,
    attempt: 0,
    state: "queued",
    position: null,
    phase: null,
    error: null,
    steps: 0,
    epoch: 0,
    tokens: 0,
    tokensPerSecond: 0,
    etaSeconds: null,
    curve: new Curve(),
    revision: 0,
    evaluations: [],
    samples: [],
    saved: null,
    notices: [],
    result: null,
    lines: [],
  };
}

export function received(course: Course, event: RunEvent): Course {
  if (event.run !== course.run || event.attempt < course.attempt) return course;
  const next = { ...course, attempt: event.attempt, lines: withLine(course.lines, event) };
  const { curve } = course;
  switch (event.type) {
    case "state": {
      const { state, position, error, name, kind } = event;
      return { ...next, state, position, error, name, kind, phase: state === "running" ? next.phase : null };
    }
    case "restart": {
      const { from } = event as unknown as { from: number };
      curve.cut(from);
      return {
        ...next,
        revision: next.revision + 1,
        evaluations: next.evaluations.filter(({ step }) => step <= from),
        samples: next.samples.filter(({ step }) => step <= from),
        phase: null,
        etaSeconds: null,
      };
    }
    case "phase": {
      const { phase, done, total, unit } = event;
      return { ...next, state: "running", phase: { phase, done, total, unit } };
    }
    case "train_steps": {
      event.step.forEach((step, i) => {
        curve.add(step, event.loss[i] ?? Number.NaN, event.lr[i] ?? 0, event.grad_norm[i] ?? 0);
      });
      return {
        ...next,
        phase: null,
        revision: next.revision + 1,
        steps: event.steps,
        epoch: event.epoch,
        tokens: event.tokens,
        tokensPerSecond: event.tokens_per_s,
        etaSeconds: event.eta_s,
      };
    }
    case "evaluated": {
      const { step, loss, perplexity } = event;
      const others = next.evaluations.filter((one) => one.step !== step);
      return { ...next, revision: next.revision + 1, evaluations: [...others, { step, loss, perplexity }] };
    }
    case "sampled": {
      const { step, index, prompt, text, picture } = event;
      const others = next.samples.filter((one) => one.step !== step || one.index !== index);
      return { ...next, samples: [...others, { step, index, prompt, text, picture: picture ?? null }] };
    }
    case "saved":
      return { ...next, saved: event.step };
    case "notice": {
      const { code, message, params } = event;
      return {
        ...next,
        notices: [...next.notices.filter((one) => one.code !== code), { code, message, params }],
      };
    }
    case "train_result":
    case "slider_result":
      return { ...next, result: event, phase: null, etaSeconds: null };
    default:
      return next;
  }
}

/** The steps at which samples were drawn, rising. */
export const sampledAt = (samples: readonly Sample[]): number[] =>
  [...new Set(samples.map(({ step }) => step))].sort((a, b) => a - b);

/** A model that was trained, or a knob that was learned, and what it is compared with; `prompt`: to begin with. */
export interface Compared {
  trained: string;
  original: string;
  kind: "text" | "image";
  prompt: string;
}

/** What the run's own events tell of its kind: a model that draws has pictures, and no perplexity. */
export const draws = ({ samples, evaluations }: Pick<Course, "samples" | "evaluations">): boolean =>
  samples.some(({ picture }) => picture !== null) ||
  evaluations.some(({ perplexity }) => perplexity === null);

/** What is drawn or answered, in the order in which it was asked. */
export const promptsOf = (samples: readonly Sample[]): [index: number, prompt: string][] =>
  [...new Map(samples.map(({ index, prompt }) => [index, prompt]))].sort(([a], [b]) => a - b);

/** The best evaluation; undefined before there is one. */
export const bestOf = (evaluations: readonly Evaluation[]): Evaluation | undefined =>
  evaluations.reduce<Evaluation | undefined>(
    (best, one) => (best === undefined || one.loss < best.loss ? one : best),
    undefined,
  );
