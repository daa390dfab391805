/** Settings folded beneath the prompt, with their gist in sight, and the fields they are made of. Knows no settings. */
import { IconChevronRight, IconDice5 } from "@tabler/icons-react";
import { type ReactNode, useId } from "react";
import { IconButton } from "@/shared/ui/Button";
import { useView } from "../logic/view";
import { useWords } from "../messages";
import eq from "./Equalizer.module.css";
import { NumberBox } from "./NumberBox";
import classes from "./Settings.module.css";

export function Settings({ summary, children }: { summary: string; children: ReactNode }) {
  const t = useWords();
  const id = useId();
  const { settings: open, set } = useView();
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
          {children}
        </div>
      ) : null}
    </div>
  );
}

const plain = (value: number): string => String(value);

type NumberProps = {
  name: string;
  value: number;
  limits: { min: number; max: number; step: number };
  tools?: ReactNode;
  wide?: boolean;
  onChange: (value: number) => void;
};

export function NumberField({ name, value, limits, tools, wide, onChange }: NumberProps) {
  return (
    <div className={classes.field}>
      <span>{name}</span>
      <span className={classes.seed}>
        {tools}
        <NumberBox
          label={name}
          value={value}
          limits={limits}
          step={limits.step}
          whole={Number.isInteger(limits.step)}
          wide={wide}
          format={plain}
          onChange={onChange}
        />
      </span>
    </div>
  );
}

type CheckProps = { name: string; help: string; checked: boolean; onChange: (checked: boolean) => void };

export function CheckField({ name, help, checked, onChange }: CheckProps) {
  return (
    <label className={classes.check}>
      <input type="checkbox" checked={checked} onChange={(event) => onChange(event.target.checked)} />
      <span>
        {name}
        <small>{help}</small>
      </span>
    </label>
  );
}

const SEEDS = { min: 0, max: 2 ** 32 - 1, step: 1 };

type SeedProps = { value: number; disabled?: boolean; onChange: (seed: number) => void };

export function SeedField({ value, disabled, onChange }: SeedProps) {
  const t = useWords();
  const dice = (
    <IconButton
      label={t("settings.newSeed")}
      disabled={disabled}
      onClick={() => onChange(Math.floor(Math.random() * 2 ** 32))}
    >
      <IconDice5 size={17} aria-hidden />
    </IconButton>
  );
  return (
    <NumberField
      name={t("settings.seed")}
      value={value}
      limits={SEEDS}
      tools={dice}
      wide
      onChange={onChange}
    />
  );
}
