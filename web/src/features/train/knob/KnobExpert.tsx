/** What few need of a knob that is learned, each with a word of what it does. Knows the draft. */
import { number } from "@/shared/i18n/format";
import { Fold } from "@/shared/ui/Fold";
import { NumberField, SeedField } from "@/shared/ui/fields";
import { setSlider, useDraft } from "../logic/draft";
import { rate } from "../logic/rate";
import { SLIDER_LIMITS } from "../logic/slider";
import { useView } from "../logic/view";
import classes from "../what/Expert.module.css";
import { useT } from "../words";
import { useKnobT } from "./words";

const fine = (value: number): number => Number(value.toPrecision(6));

export function KnobExpert() {
  const t = useT();
  const own = useKnobT();
  const { seed, ...numbers } = useDraft((draft) => draft.slider);
  const { expert: open, set } = useView();
  const field = (name: keyof typeof SLIDER_LIMITS, called: string, help?: string) => (
    <NumberField
      name={called}
      help={help}
      value={numbers[name]}
      limits={SLIDER_LIMITS[name]}
      {...(name === "lr" ? { format: rate, round: fine } : {})}
      onChange={(value) => setSlider({ [name]: value })}
    />
  );
  const { steps, eta, rank } = numbers;
  return (
    <Fold
      title={t("expert.title")}
      summary={own("expert.summary", { steps: number(steps), eta: number(eta, 1), rank: number(rank) })}
      open={open}
      onToggle={() => set({ expert: !open })}
    >
      <h3 className={classes.group}>{own("expert.learn")}</h3>
      <div className={classes.fields}>
        {field("steps", t("expert.steps"))}
        {field("eta", own("expert.eta"), own("expert.etaHelp"))}
        {field("rank", t("expert.rank"), own("expert.rankHelp"))}
        {field("lr", t("expert.lr"), own("expert.lrHelp"))}
        {field("count", own("expert.count"), own("expert.countHelp"))}
        <SeedField
          value={seed}
          help={t("expert.seedHelp")}
          onChange={(value) => setSlider({ seed: value })}
        />
      </div>
      <h3 className={classes.group}>{own("expert.machine")}</h3>
      <div className={classes.fields}>{field("batch", t("expert.batchPictures"), t("expert.batchHelp"))}</div>
    </Fold>
  );
}
