/** What is folded, linked, marked: how a person likes the page, kept in this browser. Knows no recipe. */
import { create } from "zustand";
import { persist } from "zustand/middleware";

interface View {
  equalizer: boolean;
  points: boolean;
  settings: boolean;
  linked: boolean;
  table: boolean;
  diff: boolean;
  set: (part: Partial<Omit<View, "set">>) => void;
}

export const useView = create<View>()(
  persist(
    (set) => ({
      equalizer: false,
      points: false,
      settings: false,
      linked: true,
      table: false,
      diff: true,
      set,
    }),
    { name: "imfine.create.view", version: 1, partialize: ({ set: _, ...kept }) => kept },
  ),
);
