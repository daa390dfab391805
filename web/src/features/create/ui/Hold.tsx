/** Shows the original in place of the tuned answer while it is pressed. Knows no answer. */
import { IconEye } from "@tabler/icons-react";
import { useWords } from "../messages";
import classes from "./Hold.module.css";

export function Hold({ held, onHold }: { held: boolean; onHold: (held: boolean) => void }) {
  const t = useWords();
  return (
    <button
      type="button"
      className={classes.hold}
      aria-pressed={held}
      aria-label={t("lanes.hold")}
      title={`${t("lanes.hold")} ( \\ )`}
      onPointerDown={() => onHold(true)}
      onPointerUp={() => onHold(false)}
      onPointerLeave={() => onHold(false)}
      onPointerCancel={() => onHold(false)}
      onContextMenu={(event) => event.preventDefault()}
      onKeyDown={(event) => {
        if (event.key === " " || event.key === "Enter") onHold(true);
      }}
      onKeyUp={() => onHold(false)}
      onBlur={() => onHold(false)}
    >
      <IconEye size={16} aria-hidden />
    </button>
  );
}
