/** Says when the stream is lost for more than a moment, and why nothing is. */
import { IconPlugConnectedX } from "@tabler/icons-react";
import { useEffect, useState } from "react";
import { reconnectStream, useConnection } from "@/api/stream/pageStream";
import { Button } from "@/shared/ui/Button";
import classes from "./LostBanner.module.css";
import { useT } from "./words";

const PATIENCE_MS = 2500; // a reconnection is usually quicker

export function LostBanner() {
  const t = useT();
  const lostAt = useConnection((connection) => connection.lostAt);
  const [shown, setShown] = useState(false);
  useEffect(() => {
    if (lostAt === null) return setShown(false);
    const timer = setTimeout(() => setShown(true), Math.max(0, lostAt + PATIENCE_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [lostAt]);
  return (
    <div role="status" className={shown ? classes.banner : undefined}>
      {shown ? (
        <>
          <IconPlugConnectedX size={18} aria-hidden />
          <p>
            <strong>{t("lost.title")}</strong> {t("lost.explain")}
          </p>
          <Button size="small" onClick={reconnectStream}>
            {t("lost.now")}
          </Button>
        </>
      ) : null}
    </div>
  );
}
