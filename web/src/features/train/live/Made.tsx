/** That it is done, in a sentence each, and the way to try it. Knows no run. */
import { IconArrowRight, IconCircleCheck } from "@tabler/icons-react";
import { Button } from "@/shared/ui/Button";
import { useT } from "../words";
import classes from "./Made.module.css";

/** `onGo` null: it is not known yet where to. */
type Props = {
  name: string;
  says: readonly string[];
  go: string;
  goWords: string;
  onGo: (() => void) | null;
};

export function Made({ name, says, go, goWords, onGo }: Props) {
  const t = useT();
  return (
    <div className={classes.result} role="status">
      <IconCircleCheck size={22} aria-hidden />
      <div className={classes.words}>
        <h3>{t("result.title", { name })}</h3>
        {says.map((one) => (
          <p key={one}>{one}</p>
        ))}
        <div className={classes.go}>
          <Button kind="primary" disabled={onGo === null} onClick={() => onGo?.()}>
            {go}
            <IconArrowRight size={17} aria-hidden />
          </Button>
          <span>{goWords}</span>
        </div>
      </div>
    </div>
  );
}
