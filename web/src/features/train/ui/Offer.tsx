/** Other settings that would do, in words and at one press. Knows a change of a plan, no plan. */
import type { PlanJson } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { Button } from "@/shared/ui/Button";
import { rate } from "../logic/rate";
import { useT } from "../words";
import classes from "./Offer.module.css";

type Props = { title: string; action: string; change: PlanJson; onTake: () => void };

export function Offer({ title, action, change, onTake }: Props) {
  const words = useChangeWords()(change);
  return (
    <div className={classes.offer}>
      <span>
        {title} <strong>{words}</strong>
      </span>
      <Button size="small" onClick={onTake}>
        {action}
      </Button>
    </div>
  );
}

/** What a change does, in the words of the settings it changes. */
function useChangeWords(): (change: PlanJson) => string {
  const t = useT();
  return ({ method, lr, clip, batch, accumulation, length, resolution, dtype, checkpointing }) =>
    [
      method && t(`offer.method_${method}`),
      lr && t("offer.lr", { value: rate(lr) }),
      clip && t("offer.clip", { value: number(clip, 2) }),
      batch && t("offer.batch", { value: number(batch) }),
      accumulation && t("offer.accumulation", { value: number(accumulation) }),
      length && t("offer.length", { value: number(length) }),
      resolution && t("offer.resolution", { value: number(resolution) }),
      dtype,
      checkpointing && t("offer.checkpointing"),
    ]
      .filter(Boolean)
      .join(", ");
}
