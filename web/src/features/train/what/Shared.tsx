/** What is chosen of every training, of words or of pictures: parts, method, rounds, and what they come to. */
import type { ReactNode } from "react";
import type { Estimate } from "@/api/train";
import { number, parameters, percent } from "@/shared/i18n/format";
import { Card } from "@/shared/ui/Card";
import { NumberField } from "@/shared/ui/fields";
import { Help } from "@/shared/ui/Help";
import { type Learning, LIMITS, METHODS, type Method, type Part } from "../logic/plan";
import type { Kind } from "../logic/ready";
import frame from "../TrainPage.module.css";
import { Choice } from "../ui/Choice";
import { useT } from "../words";
import type { LearnProps } from "./LearnFields";
import classes from "./WhatCard.module.css";

const CHOICES = { attn: ["attn"], mlp: ["mlp"], both: ["attn", "mlp"] } as const;
const ORDER = ["attn", "mlp", "both"] as const;

/** "ATTN + MLP" */
export function usePartsWords(): (parts: readonly Part[]) => string {
  const t = useT();
  return (parts) => parts.map((one) => t(`what.part.${one}`)).join(" + ");
}

/** `own`: what is set up is none of the goals. */
export function TeachCard({ own, children }: { own: boolean; children: ReactNode }) {
  const t = useT();
  return (
    <Card aria-labelledby="train-what" className={classes.card}>
      <header className={frame.head}>
        <h2 id="train-what">{t("what.title")}</h2>
        {own ? <span className={classes.quiet}>{t("what.own")}</span> : null}
      </header>
      {children}
    </Card>
  );
}

export function PartsChoice({ kind, plan, onChange }: LearnProps & { kind: Kind }) {
  const t = useT();
  return (
    <Choice
      label={t("what.parts")}
      value={plan.parts.length === 2 ? "both" : (plan.parts[0] ?? "both")}
      options={ORDER.map((one) => ({
        value: one,
        name: t(`what.part.${one}`),
        words: t(`what.partWords.${kind}.${one}`),
        tone: one,
      }))}
      onChange={(one) => onChange({ parts: [...CHOICES[one]] })}
    />
  );
}

/** `methods`: that can be trained with here. */
export function MethodChoice({ plan, onChange, methods }: LearnProps & { methods: readonly Method[] }) {
  const t = useT();
  return (
    <Choice
      label={t("what.method")}
      help={<Help about={t("what.method")}>{t("what.methodHelp")}</Help>}
      value={plan.method}
      options={METHODS.filter((one) => one === plan.method || methods.includes(one)).map((one) => ({
        value: one,
        name: t(`what.methods.${one}`),
        words: t(`what.methodWords.${one}`),
      }))}
      onChange={(method) => onChange({ method })}
    />
  );
}

export function Rounds({ kind, plan, onChange }: LearnProps & { kind: Kind }) {
  const t = useT();
  if (plan.steps !== null) return null;
  return (
    <NumberField
      name={t(`what.rounds.${kind}`)}
      help={t(`what.roundsHelp.${kind}`)}
      value={plan.epochs}
      limits={LIMITS.epochs}
      onChange={(epochs) => onChange({ epochs })}
    />
  );
}

type CountsProps = { estimate: Estimate | null; counting: boolean; method: Learning["method"] };

/** How many numbers learn. */
export function Counts({ estimate, counting, method }: CountsProps) {
  const t = useT();
  const told = estimate?.trainable;
  return (
    <p className={classes.counts} aria-live="polite" data-old={counting || undefined}>
      {told
        ? t(method === "full" ? "what.trains" : "what.trainsBeside", {
            parameters: parameters(told.parameters),
            all: parameters(told.all_parameters),
            share: percent(told.share, told.share < 0.1 ? 2 : 0),
            tensors: number(told.tensors),
            allTensors: number(told.all_tensors),
          })
        : counting
          ? t("what.counting")
          : null}
    </p>
  );
}
