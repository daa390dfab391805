/** How tokens are chosen, folded beneath the prompt. Knows the draft's sampling. */

import { CheckField, NumberField, SeedField } from "@/shared/ui/fields";
import classes from "@/shared/ui/fields.module.css";
import { setSampling, useDraft } from "../logic/draft";
import { type NumberField as AnyNumber, SAMPLING_LIMITS } from "../logic/sampling";
import { useWords } from "../messages";
import { Settings } from "../ui/Settings";

type SamplingNumber = Exclude<AnyNumber, "seed">;

const ONLY_SAMPLED: readonly SamplingNumber[] = ["temperature", "top_p", "top_k", "min_p"];
const ALWAYS: readonly SamplingNumber[] = ["repetition_penalty", "no_repeat_ngram_size", "max_new_tokens"];

export function SettingsFold(_: { layout: unknown }) {
  const t = useWords();
  const sampling = useDraft((draft) => draft.sampling);
  const { greedy, temperature, seed, max_new_tokens, raw, stop } = sampling;
  const summary = greedy
    ? t("settings.summaryGreedy", { n: max_new_tokens })
    : t("settings.summarySampled", { t: temperature, seed, n: max_new_tokens });
  const field = (name: SamplingNumber) => (
    <NumberField
      key={name}
      name={t(`settings.${name}`)}
      value={sampling[name]}
      limits={SAMPLING_LIMITS[name]}
      onChange={(value) => setSampling({ [name]: value })}
    />
  );
  return (
    <Settings summary={summary}>
      <CheckField
        name={t("settings.greedy")}
        help={t("settings.greedyHelp")}
        checked={greedy}
        onChange={(checked) => setSampling({ greedy: checked })}
      />
      <CheckField
        name={t("settings.raw")}
        help={t("settings.rawHelp")}
        checked={raw}
        onChange={(checked) => setSampling({ raw: checked })}
      />
      <div className={classes.fields}>
        {greedy ? null : ONLY_SAMPLED.map(field)}
        {ALWAYS.map(field)}
        <SeedField value={seed} disabled={greedy} onChange={(value) => setSampling({ seed: value })} />
      </div>
      <label className={classes.stop}>
        <span>{t("settings.stop")}</span>
        <textarea
          rows={2}
          value={stop.join("\n")}
          onChange={(event) =>
            setSampling({
              stop: event.target.value === "" ? [] : event.target.value.split("\n").slice(0, 8),
            })
          }
          onBlur={() => setSampling({ stop: stop.filter((line) => line !== "") })}
        />
      </label>
    </Settings>
  );
}
