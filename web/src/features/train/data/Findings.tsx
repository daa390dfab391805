/** What one should know of the chosen data, each with the lines it is about. Knows findings, no data set. */
import { IconAlertTriangle, IconCircleCheck } from "@tabler/icons-react";
import type { Finding } from "@/api/train";
import { useT } from "../words";
import classes from "./Data.module.css";
import { useFindingWords } from "./findingWords";

/** `all`: there is nothing still to be found. */
export function Findings({ findings, all }: { findings: readonly Finding[]; all: boolean }) {
  const t = useT();
  const words = useFindingWords();
  if (findings.length === 0)
    return all ? (
      <p className={classes.fine}>
        <IconCircleCheck size={16} aria-hidden /> {t("data.fine")}
      </p>
    ) : null;
  return (
    <ul className={classes.findings}>
      {findings.map((finding) => {
        const { said, where } = words(finding);
        return (
          <li key={finding.code}>
            <IconAlertTriangle size={16} aria-hidden />
            <span>
              {said} {where ? <small>{where}</small> : null}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
