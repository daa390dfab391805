/** What few need of a training of words, each with a word of what it does. Knows the draft's plan. */
import { number } from "@/shared/i18n/format";
import { Fold } from "@/shared/ui/Fold";
import { CheckField, NumberField, SelectField } from "@/shared/ui/fields";
import { setPlan, useDraft } from "../logic/draft";
import { DTYPES, LIMITS, lrOf, type Size } from "../logic/plan";
import { rate } from "../logic/rate";
import { useView } from "../logic/view";
import { useT } from "../words";
import classes from "./Expert.module.css";
import { AdapterFields, LearnFields, PlanNumber } from "./LearnFields";

export function Expert({ context, size }: { context: number | null; size: Size }) {
  const t = useT();
  const plan = useDraft((draft) => draft.plan);
  const { expert: open, set } = useView();
  const both = { plan, onChange: setPlan };
  const check = (name: "packing" | "checkpointing" | "answers_only") => (
    <CheckField
      name={t(`expert.${name}`)}
      help={t(`expert.${name}Help`)}
      checked={plan[name]}
      onChange={(checked) => setPlan({ [name]: checked })}
    />
  );
  const summary = t("expert.summary", {
    lr: rate(lrOf(plan)),
    batch: size.batch,
    length: number(size.length),
  });
  return (
    <Fold title={t("expert.title")} summary={summary} open={open} onToggle={() => set({ expert: !open })}>
      <LearnFields {...both} />
      {check("answers_only")}
      <AdapterFields {...both} />
      <h3 className={classes.group}>{t("expert.groups.machine")}</h3>
      <div className={classes.fields}>
        <NumberField
          name={t("expert.batch")}
          help={t("expert.batchHelp")}
          value={size.batch}
          limits={LIMITS.batch}
          onChange={(batch) => setPlan({ batch })}
        />
        <PlanNumber {...both} name="accumulation" />
        <NumberField
          name={t("expert.length")}
          help={t("expert.lengthHelp")}
          value={size.length}
          limits={{ min: 8, max: context ?? 1_000_000, step: 1 }}
          onChange={(tokens) => setPlan({ length: tokens })}
        />
        <SelectField
          name={t("expert.dtype")}
          help={t("expert.dtypeHelp")}
          value={plan.dtype}
          options={DTYPES.map((value) => ({ value, name: t(`expert.dtypes.${value}`) }))}
          onChange={(dtype) => setPlan({ dtype })}
        />
      </div>
      {check("packing")}
      {check("checkpointing")}
      <h3 className={classes.group}>{t("expert.groups.measure")}</h3>
      <div className={classes.fields}>
        <PlanNumber {...both} name="eval_share" />
        <PlanNumber {...both} name="patience" />
        <NumberField
          name={t("expert.sample_tokens")}
          help={t("expert.sample_tokensHelp")}
          value={plan.sample_tokens}
          limits={LIMITS.sample_tokens}
          onChange={(sample_tokens) => setPlan({ sample_tokens })}
        />
      </div>
    </Fold>
  );
}
