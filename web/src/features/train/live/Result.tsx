/** What came of it, in one sentence each, and the way to hear it. Knows a result. */
import type { TrainResult } from "@/api/train";
import { duration, number } from "@/shared/i18n/format";
import type { Kind } from "../logic/ready";
import { useT } from "../words";
import { Made } from "./Made";

/** `onCompare` null: it is not known yet with what. */
type Props = {
  kind: Kind;
  result: TrainResult;
  name: string;
  onCompare: ((result: TrainResult) => void) | null;
};

const NOTHING = 0.0005; // nats: no difference that three digits show

export function Result({ kind, result, name, onCompare }: Props) {
  const t = useT();
  const { reason, steps, best_step, seconds } = result;
  const { loss_before, loss_after, perplexity_before, perplexity_after } = result;
  const ended =
    reason === "steps"
      ? t("result.steps", { steps: number(steps), time: duration(seconds) })
      : reason === "early"
        ? t("result.early", { steps: number(steps), best: number(best_step) })
        : t("result.stopped", { steps: number(steps) });
  const moved = loss_before === null || loss_after === null ? null : loss_after - loss_before;
  const [best, worst] =
    kind === "image" ? (["betterPictures", "worsePictures"] as const) : (["better", "worse"] as const);
  const words = {
    before: number(loss_before ?? 0, 3),
    after: number(loss_after ?? 0, 3),
    pbefore: number(perplexity_before ?? 0, 1),
    pafter: number(perplexity_after ?? 0, 1),
  };
  const measured =
    moved === null
      ? t("result.unmeasured")
      : t(
          Math.abs(moved) < NOTHING ? "result.same" : moved < 0 ? `result.${best}` : `result.${worst}`,
          words,
        );
  return (
    <Made
      name={name}
      says={[ended, measured]}
      go={t("result.compare")}
      goWords={t(`result.compareWords.${kind}`)}
      onGo={onCompare && (() => onCompare(result))}
    />
  );
}
