/** Set up from two phrases: what the knob turns, and the start; or, in its place, the run that is watched. Ties the chosen
 *  model to the parts; knows no part's inside. */
import { useDebouncedValue } from "@mantine/hooks";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useMemo } from "react";
import { modelsQuery } from "@/api/models";
import { estimateQuery } from "@/api/train";
import type { ModelDetail } from "@/api/types";
import { useErrorWords } from "@/shared/i18n/errorWords";
import { KnobCard } from "./knob/KnobCard";
import { KnobReady } from "./knob/KnobReady";
import { WayChoice } from "./knob/WayChoice";
import { useKnobT } from "./knob/words";
import { setKnob, useDraft } from "./logic/draft";
import { isName, suggestName } from "./logic/name";
import {
  EXAMPLE_NAMES,
  EXAMPLES,
  estimateOf,
  planOf,
  type SliderObstacle,
  sliderJson,
  sliderObstacles,
} from "./logic/slider";
import classes from "./TrainPage.module.css";
import { startKnob } from "./training";
import { SETTLED_MS } from "./useSetup";
import { useStart } from "./useStart";

const UNSAID: readonly SliderObstacle[] = ["no_plus", "no_minus", "same", "many"]; // what it shall learn

type Props = { model: string; detail: ModelDetail; live: ReactNode };

export function KnobSetup({ model, detail, live }: Props) {
  const t = useKnobT();
  const words = useErrorWords();
  const { slider, knob } = useDraft();
  const { batch, rank, plus, minus } = slider;
  const plan = useMemo(() => planOf({ batch, rank }), [batch, rank]);
  const [settled] = useDebouncedValue(plan, SETTLED_MS);
  const estimate = useQuery({ ...estimateQuery(model, settled), placeholderData: keepPreviousData });
  const fitting = useMemo(() => estimateOf(estimate.data ?? null), [estimate.data]);

  const models = useQuery(modelsQuery);
  const example = EXAMPLE_NAMES.find((one) => EXAMPLES[one].plus === plus && EXAMPLES[one].minus === minus);
  const taken = [...(models.data ?? []), ...detail.deltas].map(({ id }) => id);
  const name = knob ?? suggestName(example ? t(`example.${example}`) : plus || "knob", "", taken);
  const obstacles = sliderObstacles(slider, { fits: fitting?.fits ?? null, nameIsGood: isName(name) });

  const asked = useMemo(() => ({ model, slider: sliderJson(slider) }), [model, slider]);

  const { starting, refused, begin, forget } = useStart();
  // biome-ignore lint/correctness/useExhaustiveDependencies: another setting is another request
  useEffect(forget, [slider, knob, forget]);
  const aboutName = refused?.field === "name" ? refused : null;
  const aboutWords = /^slider\.(plus|minus|neutral)/.test(refused?.field ?? "") ? refused : null;

  const onStart = () =>
    begin(async () => {
      await startKnob({ model, name, slider: sliderJson(slider) });
      setKnob(null);
    });

  return (
    <>
      <div className={classes.setup}>
        <WayChoice />
        <KnobCard obstacles={obstacles} refused={aboutWords} />
      </div>
      <div className={classes.run} data-course={live !== null || undefined}>
        {live ?? (
          <KnobReady
            estimate={{
              data: fitting,
              busy: estimate.isFetching,
              error: estimate.error,
              retry: () => void estimate.refetch(),
            }}
            asked={obstacles.some((one) => UNSAID.includes(one)) ? null : asked}
            name={{ value: name, good: isName(name), error: aboutName ? words(aboutName).cause : null }}
            obstacle={obstacles[0]}
            starting={starting}
            refused={aboutName || aboutWords ? null : refused}
            onStart={() => void onStart()}
          />
        )}
      </div>
    </>
  );
}
