/** What few need, each with a word of what it does. Knows the draft's plan. */
import { number } from "@/shared/i18n/format";
import { Fold } from "@/shared/ui/Fold";
import { CheckField, NumberField, SeedField, SelectField } from "@/shared/ui/fields";
import { setPlan, useDraft } from "../logic/draft";
import { alphaOf, DTYPES, LIMITS, lrOf, SCHEDULES, type Size } from "../logic/plan";
import { rate } from "../logic/rate";
import { useView } from "../logic/view";
import { useT } from "../words";
import classes from "./Expert.module.css";

type NumberName = keyof typeof LIMITS;

const fine = (value: number): number => Number(value.toPrecision(6));
const FIRST_STEPS = 200;

export function Expert({ context, size }: { context: number | null; size: Size }) {
  const t = useT();
  const plan = useDraft((draft) => draft.plan);
  const { expert: open, set } = useView();
  const field = (name: Exclude<NumberName, "lr" | "alpha" | "epochs" | "steps" | "batch">) => (
    <NumberField
      key={name}
      name={t(`expert.${name}`)}
      help={t(`expert.${name}Help`)}
      value={plan[name]}
      limits={LIMITS[name]}
      onChange={(value) => setPlan({ [name]: value })}
    />
  );
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
      <h3 className={classes.group}>{t("expert.groups.learn")}</h3>
      <div className={classes.fields}>
        <NumberField
          name={t("expert.lr")}
          help={t("expert.lrHelp")}
          value={lrOf(plan)}
          limits={LIMITS.lr}
          format={rate}
          round={fine}
          onChange={(lr) => setPlan({ lr })}
        />
        <SelectField
          name={t("expert.schedule")}
          help={t("expert.scheduleHelp")}
          value={plan.schedule}
          options={SCHEDULES.map((value) => ({ value, name: t(`expert.schedules.${value}`) }))}
          onChange={(schedule) => setPlan({ schedule })}
        />
        <SelectField
          name={t("expert.until")}
          value={plan.steps === null ? "rounds" : "steps"}
          options={[
            { value: "rounds", name: t("expert.untilRounds") },
            { value: "steps", name: t("expert.untilSteps") },
          ]}
          onChange={(until) => setPlan({ steps: until === "steps" ? FIRST_STEPS : null })}
        />
        {plan.steps === null ? null : (
          <NumberField
            name={t("expert.steps")}
            value={plan.steps}
            limits={LIMITS.steps}
            wide
            onChange={(steps) => setPlan({ steps })}
          />
        )}
        {field("warmup")}
        {field("weight_decay")}
        {field("clip")}
        <SeedField value={plan.seed} help={t("expert.seedHelp")} onChange={(seed) => setPlan({ seed })} />
      </div>
      {check("answers_only")}
      {plan.method === "full" ? null : (
        <>
          <h3 className={classes.group}>{t("expert.groups.adapter")}</h3>
          <div className={classes.fields}>
            {field("rank")}
            <NumberField
              name={t("expert.alpha")}
              help={t("expert.alphaHelp")}
              value={alphaOf(plan)}
              limits={LIMITS.alpha}
              onChange={(alpha) => setPlan({ alpha })}
            />
            {field("dropout")}
          </div>
        </>
      )}
      <h3 className={classes.group}>{t("expert.groups.machine")}</h3>
      <div className={classes.fields}>
        <NumberField
          name={t("expert.batch")}
          help={t("expert.batchHelp")}
          value={size.batch}
          limits={LIMITS.batch}
          onChange={(batch) => setPlan({ batch })}
        />
        {field("accumulation")}
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
        {field("eval_share")}
        {field("patience")}
        {field("sample_tokens")}
      </div>
    </Fold>
  );
}
