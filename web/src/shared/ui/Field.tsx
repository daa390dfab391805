/** A labelled input with its hint and its error; the error is tied to the input and spoken. */
import { type ComponentProps, type ReactNode, useId } from "react";
import classes from "./Field.module.css";

type Props = ComponentProps<"input"> & {
  label: string;
  hint?: ReactNode;
  error?: ReactNode;
  hideLabel?: boolean;
  icon?: ReactNode;
};

export function Field({ label, hint, error, hideLabel, icon, className, ...rest }: Props) {
  const id = useId();
  return (
    <div className={[classes.field, className].filter(Boolean).join(" ")}>
      <label htmlFor={id} className={hideLabel ? "visually-hidden" : classes.label}>
        {label}
      </label>
      <div className={classes.box} data-invalid={error ? true : undefined}>
        {icon}
        <input
          id={id}
          aria-invalid={error ? true : undefined}
          aria-describedby={hint || error ? `${id}-more` : undefined}
          {...rest}
        />
      </div>
      {hint || error ? (
        <div
          id={`${id}-more`}
          className={error ? classes.error : classes.hint}
          role={error ? "alert" : undefined}
        >
          {error ?? hint}
        </div>
      ) : null}
    </div>
  );
}
