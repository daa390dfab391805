/** A knob of the recipe: its name, what it means, its slider and its number. Knows the draft's one value. */
import { memo, useId, useMemo } from "react";
import { NumberBox } from "@/shared/ui/NumberBox";
import { type AnswerKind, beginGesture, endGesture, setKnob, useDraft } from "../logic/draft";
import { epsOf, formatEps, limitsOf, scaleOf } from "../logic/knob";
import { formatGain, formatKnob, type KnobName, type Layout, neutralOf } from "../logic/recipe";
import { collapseZones, useVariants, type Zone } from "../logic/variants";
import { useWords } from "../messages";
import { useCollapseWords } from "./collapseWords";
import classes from "./Knob.module.css";
import { Slider } from "./Slider";

type Props = {
  name: KnobName;
  model: string;
  kind: AnswerKind;
  layout: Pick<Layout, "eps" | "eps_knob_max" | "qk_norm">;
  onTouch: (name: KnobName) => void;
  compact?: boolean;
};

export const Knob = memo(function Knob({ name, model, kind, layout, onTouch, compact }: Props) {
  const t = useWords();
  const collapseWords = useCollapseWords();
  const id = useId();
  const value = useDraft((draft) => draft.recipe[name]);
  const variants = useVariants((kept) => kept.items);
  const scale = scaleOf(name, value, layout.eps_knob_max);
  const zones = useMemo(
    () => collapseZones(variants, model, name, { min: scale.min, max: scale.max }),
    [variants, model, name, scale.min, scale.max],
  );
  const title = name.toUpperCase();
  const eps = name === "eps" ? formatEps(epsOf(layout.eps, value)) : null;
  const neutral = neutralOf(name);
  const shown = formatKnob(name, value);
  const valueText = eps
    ? t("knobs.valueEps", { value: shown, eps })
    : t(value === neutral ? "knobs.valueNeutral" : "knobs.valueText", { value: shown });
  const change = (next: number) => {
    onTouch(name);
    setKnob(name, next);
  };
  const zoneWords = ({ at, collapse }: Zone) =>
    t("knobs.collapse", { at: formatGain(at), why: collapseWords(collapse) });
  const told = t(`meaning.${kind}.${name}`);
  const meaning = name === "attn" && layout.qk_norm ? `${told}. ${t("knobs.attnQkNorm")}` : told;

  return (
    <div className={classes.knob} data-knob={name} data-compact={compact || undefined}>
      <div className={classes.head}>
        <span className={classes.name}>
          {title}
          {value !== neutral ? (
            <span className={classes.dot} title={t("knobs.changed")}>
              <span className="visually-hidden">{t("knobs.changed")}</span>
            </span>
          ) : null}
        </span>
        {compact ? null : (
          <span className={classes.meaning} id={id}>
            {meaning}
          </span>
        )}
        <span className={classes.value}>
          <NumberBox
            big
            label={t("knobs.value", { name: title })}
            value={value}
            limits={limitsOf(name, layout.eps_knob_max)}
            format={(one) => formatKnob(name, one)}
            onChange={change}
          />
          {eps ? <span className={classes.eps}>eps {eps}</span> : null}
        </span>
      </div>
      <Slider
        label={title}
        describedBy={compact ? undefined : id}
        knob={name}
        value={value}
        scale={scale}
        neutral={neutral}
        valueText={valueText}
        zones={zones}
        zoneTitle={zoneWords}
        classicLabel={name === "eps" && !compact ? `${t("knobs.classic")} 0.1–2.0` : undefined}
        onChange={change}
        onGesture={(state) => (state === "begin" ? beginGesture() : endGesture())}
      />
      {compact
        ? null
        : zones.map((zone) => (
            <p key={zone.at} className={classes.zone}>
              {zoneWords(zone)}
            </p>
          ))}
    </div>
  );
});
