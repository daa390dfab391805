/** Which model the person works with, kept in this browser. Knows its id only; the card comes from the server. */
import { create } from "zustand";
import { persist } from "zustand/middleware";

type ChosenModel = {
  id: string | null;
  choose: (id: string) => void;
  forget: () => void;
};

export const useChosenModel = create<ChosenModel>()(
  persist(
    (set) => ({
      id: null,
      choose: (id) => set({ id }),
      forget: () => set({ id: null }),
    }),
    { name: "imfine.model", partialize: ({ id }) => ({ id }) },
  ),
);
