/** Which of the frame's dialogs is open. */
import { create } from "zustand";

type Dialog = "palette" | "shortcuts" | null;

export const usePalette = create<{
  shown: Dialog;
  open: () => void;
  openShortcuts: () => void;
  close: () => void;
}>()((set) => ({
  shown: null,
  open: () => set({ shown: "palette" }),
  openShortcuts: () => set({ shown: "shortcuts" }),
  close: () => set({ shown: null }),
}));
