/** The run's log. */
import { LogFold } from "@/shared/ui/LogFold";
import { useT } from "../words";

export function RunLog({ lines }: { lines: readonly string[] }) {
  const t = useT();
  const words = {
    title: t("log.title"),
    count: t("log.lines", { count: lines.length }),
    copy: t("log.copy"),
    copied: t("log.copied"),
  };
  return <LogFold lines={lines} words={words} />;
}
