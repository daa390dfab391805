/** One listener for all commands' keys: combinations everywhere, single letters only while nobody is writing. */
import { useEffect } from "react";
import { isWriting, matches } from "@/shared/keys";
import { useCommandRegistry } from "@/shared/store/commands";
import { usePalette } from "./state";

const SEQUENCE_MS = 1200;

export function useKeyboard(): void {
  useEffect(() => {
    let begun: { key: string; at: number } | null = null;
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.isComposing || event.defaultPrevented || event.repeat) return;
      const combination = event.ctrlKey || event.metaKey;
      const dialog =
        usePalette.getState().shown !== null || document.querySelector("[role=dialog][aria-modal=true]");
      if (!combination && (isWriting(event.target) || dialog)) return;
      const commands = [...useCommandRegistry.getState().sets.values()].flat();
      for (const { keys, keysOnly, run } of commands) {
        if (!keys || keysOnly || !run) continue;
        const [first = "", second] = keys.split(" ");
        const hit = second
          ? begun?.key === first && event.timeStamp - begun.at < SEQUENCE_MS && matches(event, second)
          : matches(event, first);
        if (!hit) continue;
        if (dialog && keys !== "mod+K") continue; // a command belongs to the screen, not to the dialog over it
        begun = null;
        event.preventDefault();
        run();
        return;
      }
      const leaders = new Set(
        commands.flatMap(({ keys }) => (keys?.includes(" ") ? [keys.split(" ")[0] ?? ""] : [])),
      );
      const key = [...leaders].find((leader) => matches(event, leader));
      begun = key && !combination ? { key, at: event.timeStamp } : null;
    };
    window.addEventListener("keydown", onKeyDown);
    return () => window.removeEventListener("keydown", onKeyDown);
  }, []);
}
