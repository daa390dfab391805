/** What a knob shall turn: two opposite phrases, what it is for, examples of both, and what few need. Knows the draft. */
import type { ImfineError } from "@/shared/errors";
import { useErrorWords } from "@/shared/i18n/errorWords";
import { Card } from "@/shared/ui/Card";
import { ChipButton } from "@/shared/ui/Chip";
import { Field, Lines } from "@/shared/ui/Field";
import { setKnob, setSlider, useDraft } from "../logic/draft";
import { MAX_SAMPLE_CHARACTERS } from "../logic/plan";
import { EXAMPLE_NAMES, EXAMPLES, type SliderObstacle } from "../logic/slider";
import frame from "../TrainPage.module.css";
import classes from "./KnobCard.module.css";
import { KnobExpert } from "./KnobExpert";
import { useKnobT } from "./words";

/** `refused`: what the server did not take of it. */
type Props = { obstacles: readonly SliderObstacle[]; refused: ImfineError | null };

export function KnobCard({ obstacles, refused }: Props) {
  const t = useKnobT();
  const words = useErrorWords();
  const slider = useDraft((draft) => draft.slider);
  const wrong = (name: "plus" | "minus" | "neutral", mine: SliderObstacle | null) => {
    if (mine !== null && obstacles.includes(mine)) return t(`why.${mine}`);
    const about = refused?.field?.split(".")[1] === name ? refused : null;
    return about ? words(about).cause : undefined;
  };
  return (
    <Card aria-labelledby="knob-what" className={classes.card}>
      <header className={frame.head}>
        <h2 id="knob-what">{t("title")}</h2>
      </header>
      {/* biome-ignore lint/a11y/useSemanticElements: buttons under one name */}
      <div role="group" aria-label={t("examples")} className={classes.examples}>
        <span aria-hidden="true">{t("examples")}</span>
        {EXAMPLE_NAMES.map((name) => {
          const { plus, minus } = EXAMPLES[name];
          return (
            <ChipButton
              key={name}
              pressed={slider.plus === plus && slider.minus === minus}
              onClick={() => {
                setSlider(EXAMPLES[name]);
                setKnob(null);
              }}
            >
              {plus} ↔ {minus}
            </ChipButton>
          );
        })}
      </div>
      <div className={classes.ends}>
        <Field
          label={t("plus")}
          value={slider.plus}
          maxLength={MAX_SAMPLE_CHARACTERS}
          placeholder={t("plusExample")}
          error={wrong("plus", null)}
          onChange={(event) => setSlider({ plus: event.target.value })}
        />
        <Field
          label={t("minus")}
          value={slider.minus}
          maxLength={MAX_SAMPLE_CHARACTERS}
          placeholder={t("minusExample")}
          error={wrong("minus", "same")}
          onChange={(event) => setSlider({ minus: event.target.value })}
        />
      </div>
      <Lines
        label={t("neutral")}
        value={slider.neutral}
        rows={3}
        hint={t("neutralHint")}
        error={wrong("neutral", "many")}
        onChange={(event) => setSlider({ neutral: event.target.value })}
      />
      <KnobExpert />
    </Card>
  );
}
