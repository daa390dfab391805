/** The base lane is the base model, proven by the fingerprint of its weights. Knows a proof, no answer. */
import { IconShieldCheck, IconShieldX } from "@tabler/icons-react";
import type { Result } from "../logic/lanes";
import { useWords } from "../messages";
import classes from "./Checksum.module.css";
import { Help } from "./Help";

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
      {t("lanes.verified")} <code title={print}>{shown}</code>
      <Help about={t("lanes.verified")}>{t("lanes.verifiedHelp")}</Help>
    </p>
  );
}
