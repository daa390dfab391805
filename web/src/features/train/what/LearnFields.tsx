/** Expert settings that every training has, of words or of pictures. Knows what both plans share. */
import { NumberField, SeedField, SelectField } from "@/shared/ui/fields";
import { alphaOf, type Learning, LIMITS, lrOf, SCHEDULES } from "../logic/plan";
import { rate } from "../logic/rate";
import { useT } from "../words";
import classes from "./Expert.module.css";

export type LearnProps = { plan: Learning; onChange: (part: Partial<Learning>) => void };
type Plain =
  | "warmup"
  | "weight_decay"
  | "clip"
  | "rank"
  | "dropout"
  | "accumulation"
  | "eval_share"
  | "patience";

const fine = (value: number): number => Number(value.toPrecision(6));
const FIRST_STEPS = 200;

/** One number of the plan, as it stands. */
export function PlanNumber({ plan, onChange, name }: LearnProps & { name: Plain }) {
  const t = useT();
  return (
    <NumberField
      name={t(`expert.${name}`)}
      help={t(`expert.${name}Help`)}
      value={plan[name]}
      limits={LIMITS[name]}
      onChange={(value) => onChange({ [name]: value })}
    />
  );
}

/** How fast and how long it learns. */
export function LearnFields({ plan, onChange }: LearnProps) {
  const t = useT();
  const both = { plan, onChange };
  return (
    <>
      <h3 className={classes.group}>{t("expert.groups.learn")}</h3>
      <div className={classes.fields}>
        <NumberField
          name={t("expert.lr")}
          help={t("expert.lrHelp")}
          value={lrOf(plan)}
          limits={LIMITS.lr}
          format={rate}
          round={fine}
          onChange={(lr) => onChange({ lr })}
        />
        <SelectField
          name={t("expert.schedule")}
          help={t("expert.scheduleHelp")}
          value={plan.schedule}
          options={SCHEDULES.map((value) => ({ value, name: t(`expert.schedules.${value}`) }))}
          onChange={(schedule) => onChange({ schedule })}
        />
        <SelectField
          name={t("expert.until")}
          value={plan.steps === null ? "rounds" : "steps"}
          options={[
            { value: "rounds", name: t("expert.untilRounds") },
            { value: "steps", name: t("expert.untilSteps") },
          ]}
          onChange={(until) => onChange({ steps: until === "steps" ? FIRST_STEPS : null })}
        />
        {plan.steps === null ? null : (
          <NumberField
            name={t("expert.steps")}
            value={plan.steps}
            limits={LIMITS.steps}
            wide
            onChange={(steps) => onChange({ steps })}
          />
        )}
        <PlanNumber {...both} name="warmup" />
        <PlanNumber {...both} name="weight_decay" />
        <PlanNumber {...both} name="clip" />
        <SeedField value={plan.seed} help={t("expert.seedHelp")} onChange={(seed) => onChange({ seed })} />
      </div>
    </>
  );
}

/** The small matrices beside the weights, where the method has any. */
export function AdapterFields({ plan, onChange }: LearnProps) {
  const t = useT();
  if (plan.method === "full") return null;
  const both = { plan, onChange };
  return (
    <>
      <h3 className={classes.group}>{t("expert.groups.adapter")}</h3>
      <div className={classes.fields}>
        <PlanNumber {...both} name="rank" />
        <NumberField
          name={t("expert.alpha")}
          help={t("expert.alphaHelp")}
          value={alphaOf(plan)}
          limits={LIMITS.alpha}
          onChange={(alpha) => onChange({ alpha })}
        />
        <PlanNumber {...both} name="dropout" />
      </div>
    </>
  );
}
