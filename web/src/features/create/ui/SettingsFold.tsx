/** How tokens are chosen, folded beneath the prompt. Knows the draft's sampling. */
import { IconChevronRight, IconDice5 } from "@tabler/icons-react";
import { useId } from "react";
import { IconButton } from "@/shared/ui/Button";
import { setSampling, useDraft } from "../logic/draft";
import { type NumberField, SAMPLING_LIMITS } from "../logic/sampling";
import { useView } from "../logic/view";
import { useWords } from "../messages";
import eq from "./Equalizer.module.css";
import { NumberBox } from "./NumberBox";
import classes from "./SettingsFold.module.css";

const ONLY_SAMPLED: readonly NumberField[] = ["temperature", "top_p", "top_k", "min_p"];
const ALWAYS: readonly NumberField[] = ["repetition_penalty", "no_repeat_ngram_size", "max_new_tokens"];
const plain = (value: number): string => String(value);

export function SettingsFold() {
  const t = useWords();
  const id = useId();
  const { settings: open, set } = useView();
  const sampling = useDraft((draft) => draft.sampling);
  const { greedy, temperature, seed, max_new_tokens, raw, stop } = sampling;
  const summary = greedy
    ? t("settings.summaryGreedy", { n: max_new_tokens })
    : t("settings.summarySampled", { t: temperature, seed, n: max_new_tokens });
  const field = (name: NumberField) => (
    <div key={name} className={classes.field}>
      <span>{t(`settings.${name}`)}</span>
      <NumberBox
        label={t(`settings.${name}`)}
        value={sampling[name]}
        limits={SAMPLING_LIMITS[name]}
        step={SAMPLING_LIMITS[name].step}
        whole={SAMPLING_LIMITS[name].step === 1}
        format={plain}
        onChange={(value) => setSampling({ [name]: value })}
      />
    </div>
  );
  return (
    <div className={classes.settings}>
      <button
        type="button"
        className={eq.fold}
        aria-expanded={open}
        aria-controls={id}
        onClick={() => set({ settings: !open })}
      >
        <IconChevronRight size={16} aria-hidden className={eq.chevron} />
        <span className={classes.title}>{t("settings.title")}</span>
        <span className={eq.subtitle}>{summary}</span>
      </button>
      {open ? (
        <div id={id} className={classes.body}>
          <label className={classes.check}>
            <input
              type="checkbox"
              checked={greedy}
              onChange={(event) => setSampling({ greedy: event.target.checked })}
            />
            <span>
              {t("settings.greedy")}
              <small>{t("settings.greedyHelp")}</small>
            </span>
          </label>
          <label className={classes.check}>
            <input
              type="checkbox"
              checked={raw}
              onChange={(event) => setSampling({ raw: event.target.checked })}
            />
            <span>
              {t("settings.raw")}
              <small>{t("settings.rawHelp")}</small>
            </span>
          </label>
          <div className={classes.fields}>
            {greedy ? null : ONLY_SAMPLED.map(field)}
            {ALWAYS.map(field)}
            <div className={classes.field}>
              <span>{t("settings.seed")}</span>
              <span className={classes.seed}>
                <IconButton
                  label={t("settings.newSeed")}
                  disabled={greedy}
                  onClick={() => setSampling({ seed: Math.floor(Math.random() * 2 ** 32) })}
                >
                  <IconDice5 size={17} aria-hidden />
                </IconButton>
                <NumberBox
                  label={t("settings.seed")}
                  value={seed}
                  limits={SAMPLING_LIMITS.seed}
                  step={1}
                  whole
                  wide
                  format={plain}
                  onChange={(value) => setSampling({ seed: value })}
                />
              </span>
            </div>
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
        </div>
      ) : null}
    </div>
  );
}
