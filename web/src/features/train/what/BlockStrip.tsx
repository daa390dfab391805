/** Which blocks of a UNet learn: each a switch of its own, many at a drag. Upper half ATTN, lower half MLP, as in the
 *  equalizer. Those without either are shown for their place, and cannot be chosen. Knows names, no plan. */
import { useRef } from "react";
import { Button } from "@/shared/ui/Button";
import type { Part } from "../logic/plan";
import { useT } from "../words";
import classes from "./BlockStrip.module.css";
import { Halves, Strip } from "./Strip";

type Props = {
  all: readonly string[];
  own: readonly string[]; // those of them that can learn
  chosen: readonly string[];
  parts: readonly Part[];
  onChange: (names: readonly string[]) => void;
};

const GROUPS = ["IN", "M", "OUT"] as const;

export function BlockStrip({ all, own, chosen, parts, onChange }: Props) {
  const t = useT();
  const drag = useRef<{ from: string; on: boolean; moved: boolean } | null>(null);
  const latest = useRef(chosen);
  latest.current = chosen;
  const set = (name: string, on: boolean) => {
    if (latest.current.includes(name) === on) return;
    latest.current = on ? [...latest.current, name] : latest.current.filter((one) => one !== name);
    onChange(latest.current);
  };
  const of = (group: string) => own.filter((name) => name.startsWith(group));
  const whole = own.every((name) => chosen.includes(name));
  return (
    <Strip
      label={t("what.blocks")}
      help={t("what.blocksHelp")}
      said={
        whole
          ? t("what.blocksAll", { count: own.length })
          : t("what.blocksSome", { count: chosen.length, of: own.length })
      }
      beside={
        <span className={classes.groups}>
          {whole ? null : (
            <Button kind="quiet" size="small" onClick={() => onChange(own)}>
              {t("what.blockGroup.all")}
            </Button>
          )}
          {GROUPS.filter((group) => of(group).length > 0).map((group) => (
            <Button
              key={group}
              kind="quiet"
              size="small"
              title={t(`what.blockGroupWords.${group}`)}
              onClick={() => onChange(of(group))}
            >
              {t(`what.blockGroup.${group}`)}
            </Button>
          ))}
        </span>
      }
    >
      <div className={classes.strip}>
        {all.map((name) => {
          const can = own.includes(name);
          const on = chosen.includes(name);
          return (
            <button
              key={name}
              type="button"
              className={classes.block}
              aria-pressed={on}
              disabled={!can}
              title={can ? undefined : t("what.blockEmpty", { name })}
              onPointerDown={() => {
                drag.current = { from: name, on: !on, moved: false };
              }}
              onPointerEnter={({ buttons }) => {
                const { current } = drag;
                if (current === null || buttons !== 1 || !can) return;
                current.moved = true;
                set(current.from, current.on);
                set(name, current.on);
              }}
              onClick={() => {
                if (!drag.current?.moved) set(name, !on);
                drag.current = null;
              }}
            >
              <Halves on={on} parts={parts} />
              <span>{name}</span>
            </button>
          );
        })}
      </div>
    </Strip>
  );
}
