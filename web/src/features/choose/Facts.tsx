/** A model in words: what it takes, whether it fits, how long an answer is, what may be done with it. */
import { IconAlertTriangle, IconCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import type { Card } from "@/api/types";
import { bytes, duration, languageName, parameters } from "@/shared/i18n/format";
import { answerTimeQuery } from "./answerTime";
import classes from "./Facts.module.css";
import { familyOf } from "./families";
import { useT } from "./words";

export function Facts({ card }: { card: Card }) {
  const t = useT();
  const { data: seconds } = useQuery({ ...answerTimeQuery(card.id), enabled: card.ready });
  const unknown = t("facts.unknown");
  const draws = familyOf(card) === "sd";
  return (
    <dl className={classes.facts}>
      {card.parameters !== null && card.layers !== null ? (
        <Fact name={t("facts.size")}>
          {t(draws ? "facts.blocks" : "facts.parameters", {
            parameters: parameters(card.parameters),
            count: card.layers,
          })}
        </Fact>
      ) : null}
      {card.ready ? (
        <Fact name={t("facts.disk")}>{card.size_on_disk === null ? unknown : bytes(card.size_on_disk)}</Fact>
      ) : (
        <Fact name={t("facts.download")}>
          {card.download_size === null
            ? unknown
            : t("facts.download_once", { size: bytes(card.download_size) })}
        </Fact>
      )}
      <Fact name={t("facts.memory")}>
        {card.memory_needed === null ? (
          unknown
        ) : card.fits === false ? (
          <span className={classes.bad}>
            <IconAlertTriangle size={15} aria-hidden />
            {t("facts.fits_not", { memory: bytes(card.memory_needed) })}
          </span>
        ) : (
          <span className={classes.good}>
            <IconCheck size={15} aria-hidden />
            {t("facts.fits", { memory: bytes(card.memory_needed) })}
          </span>
        )}
      </Fact>
      {seconds ? (
        <Fact name={t(draws ? "facts.picture" : "facts.answer")}>
          {t("facts.answer_time", { time: duration(seconds) })}
        </Fact>
      ) : null}
      <Fact name={t("facts.languages")}>
        {card.languages?.map((tag) => languageName(tag)).join(", ") || t("facts.any_language")}
      </Fact>
      <Fact name={t("facts.licence")}>
        {[card.licence === null ? unknown : licenceName(card.licence), card.gated && t("facts.gated")]
          .filter(Boolean)
          .join(" · ")}
      </Fact>
    </dl>
  );
}

/** As people write it: the Hub has its licences in small letters. */
function licenceName(tag: string): string {
  const names: Record<string, string> = {
    mit: "MIT",
    "apache-2.0": "Apache 2.0",
    llama2: "Llama 2",
    gemma: "Gemma",
  };
  return names[tag] ?? tag.replace(/^cc-by/, "CC BY").replace(/^llama3/, "Llama 3");
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  return (
    <div className={classes.fact}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
