/** What has been set up and a reload must not lose. Knows neither network nor run. */
import { create } from "zustand";
import { persist } from "zustand/middleware";
import { DEFAULT_PLAN, GOAL_SETS, type Goal, type Plan } from "./plan";

export interface Draft {
  dataset: string | null;
  name: string | null; // null: as suggested
  plan: Plan;
}

const INITIAL: Draft = { dataset: null, name: null, plan: DEFAULT_PLAN };
export const DRAFT_KEY = "imfine.train.draft";

export const useDraft = create<Draft>()(
  persist(() => INITIAL, {
    name: DRAFT_KEY,
    version: 1,
    merge: (kept, now) => {
      const draft = { ...now, ...(kept as Partial<Draft>) };
      return { ...draft, plan: { ...now.plan, ...draft.plan } };
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
