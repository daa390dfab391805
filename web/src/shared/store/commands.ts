/**
 * What can be done from the keyboard right now: screens add their commands while they are shown; the palette (⌘K)
 * and the list of shortcuts (?) read them. Knows no command itself.
 */
import type { ReactNode } from "react";
import { useEffect } from "react";
import { create } from "zustand";

export type Command = {
  id: string;
  /** Heading in the palette and in the list of shortcuts, in the page's language. */
  group: string;
  title: string;
  hint?: string;
  icon?: ReactNode;
  /** "mod+K", "mod+Enter", "?", "G J" (one after the other). `mod` is ⌘ on a Mac, Ctrl elsewhere. */
  keys?: string;
  /** Told in the list of shortcuts only: the screen handles the key itself (held keys, sliders). */
  keysOnly?: boolean;
  run?: () => void;
};

type Registry = {
  sets: ReadonlyMap<string, readonly Command[]>;
  put: (owner: string, commands: readonly Command[] | null) => void;
};

export const useCommandRegistry = create<Registry>()((set) => ({
  sets: new Map(),
  put: (owner, commands) =>
    set(({ sets }) => {
      const next = new Map(sets);
      if (commands === null) next.delete(owner);
      else next.set(owner, commands);
      return { sets: next };
    }),
}));

/** Adds `commands` while the component is shown. Memoise them: a new array is a new registration. */
export function useCommands(owner: string, commands: readonly Command[]): void {
  const put = useCommandRegistry((registry) => registry.put);
  useEffect(() => {
    put(owner, commands);
    return () => put(owner, null);
  }, [owner, commands, put]);
}
