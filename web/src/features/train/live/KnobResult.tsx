/** What came of a knob, and the way to turn it. Knows a result and what was asked. */
import type { LearnRun, SliderResult } from "@/api/learn";
import { duration, number } from "@/shared/i18n/format";
import { useKnobT } from "../knob/words";
import type { Compared } from "../logic/course";
import { fromSliderJson, neutralOf } from "../logic/slider";
import { useT } from "../words";
import { Made } from "./Made";

/** `run` null: what was asked is not known yet. */
type Props = {
  result: SliderResult;
  name: string;
  run: LearnRun | null;
  onCompare: (compared: Compared) => void;
};

export function KnobResult({ result, name, run, onCompare }: Props) {
  const t = useT();
  const own = useKnobT();
  const asked = run && fromSliderJson(run.request);
  const took = t("result.steps", { steps: number(result.steps), time: duration(result.seconds) });
  return (
    <Made
      name={name}
      says={asked ? [took, own("result.words", { plus: asked.plus, minus: asked.minus })] : [took]}
      go={own("result.try")}
      goWords={own("result.tryWords")}
      onGo={
        run &&
        (() =>
          onCompare({
            trained: result.delta,
            original: run.request.model,
            kind: "image",
            prompt: (asked && (neutralOf(asked)[0] ?? asked.minus)) ?? "",
          }))
      }
    />
  );
}
