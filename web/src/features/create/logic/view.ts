/** What is folded, linked, marked: how a person likes the page, kept in this browser. Knows no recipe. */
import { create } from "zustand";
import { persist } from "zustand/middleware";

/** How two pictures are compared. */
export const PICTURE_MODES = ["side", "slider", "difference"] as const;
export type PictureMode = (typeof PICTURE_MODES)[number];

interface View {
  equalizer: boolean;
  points: boolean;
  settings: boolean;
  linked: boolean;
  table: boolean;
  diff: boolean;
  compare: PictureMode;
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
      compare: "side",
      set,
    }),
    { name: "imfine.create.view", version: 1, partialize: ({ set: _, ...kept }) => kept },
  ),
);
