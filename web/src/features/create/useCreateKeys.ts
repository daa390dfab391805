/** This page's shortcuts, told to the frame's palette and list; held and text-sensitive keys are handled here.
 *  Knows which action belongs to which key. */
import { useEffect, useMemo, useState } from "react";
import { isWriting, matches } from "@/shared/keys";
import { type Command, useCommands } from "@/shared/store/commands";
import { redo, resetRecipe, swapSlots, undo } from "./logic/draft";
import { useView } from "./logic/view";
import { useWords } from "./messages";
import { ask, stop } from "./studio";

/** Returns whether the original is being held in place of the tuned answer, and the way to hold it. */
export function useCreateKeys(): [boolean, (held: boolean) => void] {
  const t = useWords();
  const [held, setHeld] = useState(false);
  const commands = useMemo<Command[]>(() => {
    const group = t("keys.group");
    const flip = (name: "diff" | "equalizer") => () => {
      const view = useView.getState();
      view.set({ [name]: !view[name] });
    };
    return [
      { id: "create.run", group, title: t("keys.run"), keys: "mod+Enter", run: ask },
      { id: "create.stop", group, title: t("keys.stop"), keys: "mod+.", run: stop },
      { id: "create.undo", group, title: t("keys.undo"), keys: "mod+Z", keysOnly: true, run: undo },
      { id: "create.redo", group, title: t("keys.redo"), keys: "mod+shift+Z", keysOnly: true, run: redo },
      { id: "create.ab", group, title: t("keys.ab"), keys: "X", run: swapSlots },
      { id: "create.diff", group, title: t("keys.diff"), keys: "D", run: flip("diff") },
      { id: "create.equalizer", group, title: t("keys.equalizer"), keys: "E", run: flip("equalizer") },
      { id: "create.reset", group, title: t("keys.reset"), run: resetRecipe },
      { id: "create.hold", group, title: t("keys.hold"), keys: "\\", keysOnly: true },
    ];
  }, [t]);
  useCommands("create", commands);

  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (event.isComposing || event.defaultPrevented || isWriting(event.target)) return; // text has its own undo
      if (matches(event, "mod+Z")) undo();
      else if (matches(event, "mod+shift+Z") || matches(event, "mod+Y")) redo();
      else if (event.code === "Backslash" && !event.ctrlKey && !event.metaKey) setHeld(true);
      else return;
      event.preventDefault();
    };
    const up = (event: KeyboardEvent) => {
      if (event.code === "Backslash") setHeld(false);
    };
    const away = () => setHeld(false);
    window.addEventListener("keydown", down);
    window.addEventListener("keyup", up);
    window.addEventListener("blur", away);
    return () => {
      window.removeEventListener("keydown", down);
      window.removeEventListener("keyup", up);
      window.removeEventListener("blur", away);
    };
  }, []);
  return [held, setHeld];
}
