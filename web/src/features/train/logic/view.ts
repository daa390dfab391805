/** How a person likes the page: what is folded, how smooth the curve is; kept in this browser. */
import { create } from "zustand";
import { persist } from "zustand/middleware";

interface View {
  expert: boolean;
  smoothing: number; // 0–0.99
  table: boolean;
  set: (part: Partial<Omit<View, "set">>) => void;
}

export const useView = create<View>()(
  persist((set) => ({ expert: false, smoothing: 0.6, table: false, set }), {
    name: "imfine.train.view",
    version: 1,
    partialize: ({ set: _, ...kept }) => kept,
  }),
);
