/** The base lane is the base model, proven by the fingerprint of its weights. Knows a proof, no answer. */
import { IconShieldCheck, IconShieldX } from "@tabler/icons-react";
import { Help } from "@/shared/ui/Help";
import type { Result } from "../logic/lanes";
import { useWords } from "../messages";
import classes from "./Checksum.module.css";

export function Checksum({ proof }: { proof: Result["checksum"] | null }) {
  const t = useWords();
  if (!proof) return null;
  const { verified, weights } = proof;
  const print = typeof weights === "string" ? weights : "";
  const shown = print.length > 8 ? `${print.slice(0, 4)}…${print.slice(-2)}` : print;
  if (verified !== true)
    return (
      <p className={classes.unverified}>
        <IconShieldX size={15} aria-hidden /> {t("lanes.notVerified")}
      </p>
    );
  return (
    <p className={classes.verified}>
      <IconShieldCheck size={15} aria-hidden />
      {t("lanes.verified")}
      <span className={classes.print}>
        <code title={print}>{shown}</code>
        <Help about={t("lanes.verified")}>{t("lanes.verifiedHelp")}</Help>
      </span>
    </p>
  );
}
