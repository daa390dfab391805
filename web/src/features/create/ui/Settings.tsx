/** Settings folded beneath the prompt, with their gist in sight. Knows no settings. */
import type { ReactNode } from "react";
import { Fold } from "@/shared/ui/Fold";
import { useView } from "../logic/view";
import { useWords } from "../messages";

export function Settings({ summary, children }: { summary: string; children: ReactNode }) {
  const t = useWords();
  const { settings: open, set } = useView();
  return (
    <Fold title={t("settings.title")} summary={summary} open={open} onToggle={() => set({ settings: !open })}>
      {children}
    </Fold>
  );
}
