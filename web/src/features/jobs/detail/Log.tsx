/** The run's log. */
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { LogFold } from "@/shared/ui/LogFold";
import { useT } from "../words";
import type { RunLog } from "./useRunLog";

export function Log({ log }: { log: RunLog }) {
  const t = useT();
  const words = {
    title: t("detail.log"),
    count: t("detail.log_lines", { count: log.lines.length }),
    copy: t("detail.log_copy"),
    copied: t("detail.log_copied"),
  };
  return (
    <LogFold lines={log.lines} words={words}>
      {log.error ? <ErrorNote error={log.error} /> : null}
    </LogFold>
  );
}
