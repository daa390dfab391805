/** What has been set up and a reload must not lose. Knows neither network nor run. */
import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { PlanJson } from "@/api/train";
import { DEFAULT_PICTURE_PLAN, PICTURE_GOAL_SETS, type PictureGoal, type PicturePlan } from "./picturePlan";
import { DEFAULT_PLAN, GOAL_SETS, type Goal, type Plan, withChange } from "./plan";
import type { Kind } from "./ready";
import { DEFAULT_SLIDER, type Slider } from "./slider";

export const WAYS = ["pictures", "words"] as const;
export type Way = (typeof WAYS)[number];

export interface Draft {
  dataset: string | null;
  name: string | null; // null: as suggested
  plan: Plan; // of a model that writes
  pictures: PicturePlan; // of one that draws
  way: Way; // how one that draws is taught
  slider: Slider;
  knob: string | null; // its name; null: as suggested
}

const INITIAL: Draft = {
  dataset: null,
  name: null,
  plan: DEFAULT_PLAN,
  pictures: DEFAULT_PICTURE_PLAN,
  way: "pictures",
  slider: DEFAULT_SLIDER,
  knob: null,
};
export const DRAFT_KEY = "imfine.train.draft";

export const useDraft = create<Draft>()(
  persist(() => INITIAL, {
    name: DRAFT_KEY,
    version: 1,
    merge: (kept, now) => {
      const draft = { ...now, ...(kept as Partial<Draft>) };
      const plans = {
        plan: { ...now.plan, ...draft.plan },
        pictures: { ...now.pictures, ...draft.pictures },
        slider: { ...now.slider, ...draft.slider },
      };
      return { ...draft, ...plans };
    },
  }),
);

const edit = (change: (draft: Draft) => Partial<Draft>): void => {
  useDraft.setState(change);
};
export const chooseDataset = (dataset: string | null): void => edit(() => ({ dataset, name: null }));
export const setName = (name: string | null): void => edit(() => ({ name }));
export const setPlan = (part: Partial<Plan>): void => edit(({ plan }) => ({ plan: { ...plan, ...part } }));
export const setGoal = (goal: Goal): void => setPlan(GOAL_SETS[goal]);
/** What the server offers. */
export const takeChange = (kind: Kind, change: PlanJson): void =>
  edit(({ plan, pictures }) =>
    kind === "image" ? { pictures: withChange(pictures, change) } : { plan: withChange(plan, change) },
  );
export const setPicturePlan = (part: Partial<PicturePlan>): void =>
  edit(({ pictures }) => ({ pictures: { ...pictures, ...part } }));
export const setPictureGoal = (goal: PictureGoal): void => setPicturePlan(PICTURE_GOAL_SETS[goal]);
export const setWay = (way: Way): void => edit(() => ({ way }));
export const setSlider = (part: Partial<Slider>): void =>
  edit(({ slider }) => ({ slider: { ...slider, ...part } }));
export const setKnob = (knob: string | null): void => edit(() => ({ knob }));
