/** What shall stay as it was while something new is learned: words, of which the model itself draws pictures first. Knows
 *  the draft. */
import { useId } from "react";
import { NumberField } from "@/shared/ui/fields";
import { Help } from "@/shared/ui/Help";
import { setPicturePlan, useDraft } from "../logic/draft";
import { PICTURE_LIMITS } from "../logic/picturePlan";
import { MAX_SAMPLE_CHARACTERS } from "../logic/plan";
import { useT } from "../words";
import classes from "./Prior.module.css";

export function Prior() {
  const t = useT();
  const id = useId();
  const { prior, prior_count, prior_weight } = useDraft((draft) => draft.pictures);
  return (
    <div className={classes.prior}>
      <span className={classes.label}>
        <label htmlFor={id}>{t("what.prior")}</label>
        <Help about={t("what.prior")}>{t("what.priorHelp")}</Help>
      </span>
      <input
        id={id}
        type="text"
        value={prior}
        maxLength={MAX_SAMPLE_CHARACTERS}
        placeholder={t("what.priorExample")}
        onChange={(event) => setPicturePlan({ prior: event.target.value })}
      />
      {prior.trim() === "" ? null : (
        <div className={classes.numbers}>
          <NumberField
            name={t("what.prior_count")}
            help={t("what.prior_countHelp")}
            value={prior_count}
            limits={PICTURE_LIMITS.prior_count}
            onChange={(count) => setPicturePlan({ prior_count: count })}
          />
          <NumberField
            name={t("what.prior_weight")}
            help={t("what.prior_weightHelp")}
            value={prior_weight}
            limits={PICTURE_LIMITS.prior_weight}
            onChange={(weight) => setPicturePlan({ prior_weight: weight })}
          />
        </div>
      )}
    </div>
  );
}
