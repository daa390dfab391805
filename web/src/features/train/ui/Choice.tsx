/** One of a few, each with a line that says what it means: radio buttons that look like cards. Knows no setting. */
import { type ReactNode, useId } from "react";
import classes from "./Choice.module.css";

type Option<V extends string> = {
  value: V;
  name: string;
  words: string;
  more?: string;
  tone?: "attn" | "mlp" | "both";
};

type Props<V extends string> = {
  label: string;
  help?: ReactNode;
  hideLabel?: boolean;
  value: V | null;
  options: readonly Option<V>[];
  onChange: (value: V) => void;
};

export function Choice<V extends string>({ label, help, hideLabel, value, options, onChange }: Props<V>) {
  const name = useId();
  return (
    <fieldset className={classes.choice}>
      <legend className={hideLabel ? "visually-hidden" : classes.label}>
        {label}
        {help}
      </legend>
      <div className={classes.options}>
        {options.map((option) => (
          <label key={option.value} className={classes.option} data-tone={option.tone}>
            <input
              type="radio"
              name={name}
              value={option.value}
              checked={option.value === value}
              onChange={() => onChange(option.value)}
            />
            <span className={classes.name}>{option.name}</span>
            <span className={classes.words}>{option.words}</span>
            {option.more ? <span className={classes.more}>{option.more}</span> : null}
          </label>
        ))}
      </div>
    </fieldset>
  );
}
