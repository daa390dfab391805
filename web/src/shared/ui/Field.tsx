/** A labelled input, or several lines of text, with its hint and its error; the error is tied to it and spoken. */
import { type ComponentProps, type ReactNode, useId } from "react";
import classes from "./Field.module.css";

type Around = { label: string; hint?: ReactNode; error?: ReactNode; hideLabel?: boolean; icon?: ReactNode };

export function Field({
  label,
  hint,
  error,
  hideLabel,
  icon,
  className,
  ...rest
}: ComponentProps<"input"> & Around) {
  return (
    <Frame {...{ label, hint, error, hideLabel, icon, className }}>
      {(tied) => <input {...tied} {...rest} />}
    </Frame>
  );
}

export function Lines({
  label,
  hint,
  error,
  hideLabel,
  className,
  ...rest
}: ComponentProps<"textarea"> & Around) {
  return (
    <Frame {...{ label, hint, error, hideLabel, className }}>
      {(tied) => <textarea {...tied} {...rest} />}
    </Frame>
  );
}

type Tied = { id: string; "aria-invalid": true | undefined; "aria-describedby": string | undefined };
type FrameProps = Around & { className?: string | undefined; children: (tied: Tied) => ReactNode };

function Frame({ label, hint, error, hideLabel, icon, className, children }: FrameProps) {
  const id = useId();
  return (
    <div className={[classes.field, className].filter(Boolean).join(" ")}>
      <label htmlFor={id} className={hideLabel ? "visually-hidden" : classes.label}>
        {label}
      </label>
      <div className={classes.box} data-invalid={error ? true : undefined}>
        {icon}
        {children({
          id,
          "aria-invalid": error ? true : undefined,
          "aria-describedby": hint || error ? `${id}-more` : undefined,
        })}
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
