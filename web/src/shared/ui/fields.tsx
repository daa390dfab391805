/** Fields of settings: a number, a box to tick, a seed; each may explain itself. Knows no settings. */
import { IconDice5 } from "@tabler/icons-react";
import type { ReactNode } from "react";
import { IconButton } from "./Button";
import classes from "./fields.module.css";
import { Help } from "./Help";
import { NumberBox } from "./NumberBox";
import { useUiT } from "./words";

type NumberProps = {
  name: string;
  value: number;
  limits: { min: number; max: number; step: number };
  help?: string;
  tools?: ReactNode;
  wide?: boolean;
  format?: (value: number) => string;
  round?: (value: number) => number;
  onChange: (value: number) => void;
};

export function NumberField({
  name,
  value,
  limits,
  help,
  tools,
  wide,
  format,
  round,
  onChange,
}: NumberProps) {
  return (
    <div className={classes.field}>
      <Name help={help}>{name}</Name>
      <span className={classes.seed}>
        {tools}
        <NumberBox
          label={name}
          value={value}
          limits={limits}
          step={limits.step}
          whole={Number.isInteger(limits.step)}
          wide={wide}
          format={format}
          round={round}
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

type SelectProps<V extends string> = {
  name: string;
  help?: string;
  value: V;
  options: readonly { value: V; name: string }[];
  onChange: (value: V) => void;
};

export function SelectField<V extends string>({ name, help, value, options, onChange }: SelectProps<V>) {
  return (
    <div className={classes.field}>
      <Name help={help}>{name}</Name>
      <select
        className={classes.select}
        aria-label={name}
        value={value}
        onChange={(event) => onChange(event.target.value as V)}
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.name}
          </option>
        ))}
      </select>
    </div>
  );
}

function Name({ help, children }: { help: string | undefined; children: string }) {
  return (
    <span className={classes.name}>
      {children}
      {help ? <Help about={children}>{help}</Help> : null}
    </span>
  );
}

const SEEDS = { min: 0, max: 2 ** 32 - 1, step: 1 };

type SeedProps = { value: number; disabled?: boolean; help?: string; onChange: (seed: number) => void };

export function SeedField({ value, disabled, help, onChange }: SeedProps) {
  const t = useUiT();
  const dice = (
    <IconButton
      label={t("newSeed")}
      disabled={disabled}
      onClick={() => onChange(Math.floor(Math.random() * 2 ** 32))}
    >
      <IconDice5 size={17} aria-hidden />
    </IconButton>
  );
  return (
    <NumberField
      name={t("seed")}
      value={value}
      limits={SEEDS}
      help={help}
      tools={dice}
      wide
      onChange={onChange}
    />
  );
}
