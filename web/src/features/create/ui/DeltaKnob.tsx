/** A delta's knob: how far from the original (0) towards what was trained (1), and beyond. Knows the draft's one
 *  value and what the model tells of the delta. */
import { IconX } from "@tabler/icons-react";
import { memo, useId } from "react";
import type { Delta } from "@/api/types";
import { IconButton } from "@/shared/ui/Button";
import { NumberBox } from "@/shared/ui/NumberBox";
import { beginGesture, endGesture, setDelta, useDraft } from "../logic/draft";
import { DELTA } from "../logic/knob";
import { formatGain, formatSigned } from "../logic/recipe";
import { useWords } from "../messages";
import classes from "./Knob.module.css";
import { Slider } from "./Slider";

type Props = {
  id: string;
  label: string;
  delta: Delta;
  onTouch: (id: string) => void;
  compact?: boolean; // as the slider at hand: no explanation, and nothing to take away
};

export const DeltaKnob = memo(function DeltaKnob({ id, label, delta, onTouch, compact = false }: Props) {
  const t = useWords();
  const described = useId();
  const value = useDraft((draft) => draft.recipe.deltas[id]?.strength ?? 0);
  const bothWays = delta.low < 0;
  const format = bothWays ? formatSigned : formatGain;
  const scale = { min: Math.min(delta.low, value), max: Math.max(delta.high, value) };
  const change = (strength: number) => {
    onTouch(id);
    setDelta(id, { strength });
  };
  return (
    <div className={classes.knob} data-knob="delta" data-compact={compact || undefined}>
      <div className={classes.head}>
        <span className={classes.name} data-long>
          {label}
          {value !== 0 ? (
            <span className={classes.dot} title={t("knobs.changed")}>
              <span className="visually-hidden">{t("knobs.changed")}</span>
            </span>
          ) : null}
        </span>
        {compact ? null : (
          <span className={classes.meaning} id={described}>
            {t(`delta.meaning.${delta.kind}`)} · {delta.parts.map((part) => part.toUpperCase()).join(" + ")}
          </span>
        )}
        <span className={classes.value}>
          <NumberBox
            big
            label={t("knobs.value", { name: label })}
            value={value}
            limits={DELTA}
            format={format}
            onChange={change}
          />
          {compact ? null : (
            <IconButton
              label={t("delta.remove", { name: label })}
              title={t("delta.remove", { name: label })}
              onClick={() => setDelta(id, null)}
            >
              <IconX size={16} aria-hidden />
            </IconButton>
          )}
        </span>
      </div>
      <Slider
        label={label}
        describedBy={compact ? undefined : described}
        knob="delta"
        value={value}
        scale={scale}
        neutral={0}
        valueText={t(
          value === 0
            ? "delta.valueOriginal"
            : value === 1 && !bothWays
              ? "delta.valueTrained"
              : "knobs.valueText",
          { value: format(value) },
        )}
        zones={[]}
        zoneTitle={() => ""}
        onChange={change}
        onGesture={(state) => (state === "begin" ? beginGesture() : endGesture())}
      />
    </div>
  );
});
