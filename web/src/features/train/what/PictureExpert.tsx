/** What few need of a training of pictures, each with a word of what it does. Knows the draft's plan. */
import { number } from "@/shared/i18n/format";
import { Fold } from "@/shared/ui/Fold";
import { CheckField, NumberField, SelectField } from "@/shared/ui/fields";
import { setPicturePlan, useDraft } from "../logic/draft";
import { PICTURE_LIMITS, sidesOf } from "../logic/picturePlan";
import { DTYPES, LIMITS, lrOf } from "../logic/plan";
import { rate } from "../logic/rate";
import { useView } from "../logic/view";
import { useT } from "../words";
import classes from "./Expert.module.css";
import { AdapterFields, LearnFields, PlanNumber } from "./LearnFields";

/** `pixels`: a side, as they are learned; `multiple`: of what it is one. */
type Props = { pixels: number; multiple: number; batch: number };

export function PictureExpert({ pixels, multiple, batch }: Props) {
  const t = useT();
  const plan = useDraft((draft) => draft.pictures);
  const { expert: open, set } = useView();
  const both = { plan, onChange: setPicturePlan };
  const field = (name: "snr_gamma" | "caption_dropout" | "ema") => (
    <NumberField
      name={t(`expert.${name}`)}
      help={t(`expert.${name}Help`)}
      value={plan[name]}
      limits={PICTURE_LIMITS[name]}
      round={name === "ema" ? fine : undefined}
      onChange={(value) => setPicturePlan({ [name]: value })}
    />
  );
  const summary = t("expert.summaryPictures", {
    lr: rate(lrOf(plan)),
    batch,
    pixels: number(pixels),
  });
  return (
    <Fold title={t("expert.title")} summary={summary} open={open} onToggle={() => set({ expert: !open })}>
      <LearnFields {...both} />
      <h3 className={classes.group}>{t("expert.groups.pictures")}</h3>
      <div className={classes.fields}>
        <NumberField
          name={t("expert.resolution")}
          help={t("expert.resolutionHelp", { multiple: number(multiple) })}
          value={pixels}
          limits={sidesOf(multiple)}
          round={(value) => Math.round(value / multiple) * multiple}
          onChange={(resolution) => setPicturePlan({ resolution })}
        />
        {field("caption_dropout")}
        {field("snr_gamma")}
        {field("ema")}
      </div>
      <AdapterFields {...both} />
      <h3 className={classes.group}>{t("expert.groups.machine")}</h3>
      <div className={classes.fields}>
        <NumberField
          name={t("expert.batchPictures")}
          help={t("expert.batchHelp")}
          value={batch}
          limits={LIMITS.batch}
          onChange={(most) => setPicturePlan({ batch: most })}
        />
        <PlanNumber {...both} name="accumulation" />
        <SelectField
          name={t("expert.dtype")}
          help={t("expert.dtypeHelp")}
          value={plan.dtype}
          options={DTYPES.map((value) => ({ value, name: t(`expert.dtypes.${value}`) }))}
          onChange={(dtype) => setPicturePlan({ dtype })}
        />
      </div>
      <CheckField
        name={t("expert.checkpointing")}
        help={t("expert.checkpointingHelp")}
        checked={plan.checkpointing}
        onChange={(checkpointing) => setPicturePlan({ checkpointing })}
      />
      <h3 className={classes.group}>{t("expert.groups.measure")}</h3>
      <div className={classes.fields}>
        <PlanNumber {...both} name="eval_share" />
        <PlanNumber {...both} name="patience" />
      </div>
    </Fold>
  );
}

const fine = (value: number): number => Number(value.toFixed(5));
