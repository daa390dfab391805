/** One family: its best model in words, and one press to start; the others beneath. */
import { IconBolt, IconDownload } from "@tabler/icons-react";
import type { Card as Model } from "@/api/types";
import { ImfineError } from "@/shared/errors";
import { Button } from "@/shared/ui/Button";
import { Card } from "@/shared/ui/Card";
import { Chip } from "@/shared/ui/Chip";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Facts } from "./Facts";
import classes from "./FamilyCard.module.css";
import { type Family, isUsable } from "./families";
import { useT } from "./words";

type Props = {
  family: Family;
  chosen: string | null;
  /** The one press that most people want: its button is the bright one. */
  leading: boolean;
  onChoose: (id: string) => void;
  onLookAt: (id: string) => void;
};

export function FamilyCard({ family, chosen, leading, onChoose, onLookAt }: Props) {
  const t = useT();
  const { name, suggestion } = family;
  const best = family.cards.find(({ id }) => id === chosen) ?? family.cards[0];
  const others = family.cards.filter((card) => card !== best);
  return (
    <Card accent={leading ? "attn" : undefined} className={classes.card} aria-labelledby={`family-${name}`}>
      <header className={classes.head}>
        <h2 id={`family-${name}`}>{t(`family.${name}`)}</h2>
        <Availability best={best} />
      </header>
      <p className={classes.words}>{t(`family.${name}_words`)}</p>
      {best ? (
        <ModelChoice card={best} chosen={chosen} leading={leading} onChoose={onChoose} />
      ) : (
        <div className={classes.none}>
          <p>{t("none_yet")}</p>
          <Button onClick={() => onLookAt(suggestion)}>
            {t("look_at", { id: suggestion.split("/").at(-1) })}
          </Button>
        </div>
      )}
      {others.length > 0 ? (
        <details className={classes.others}>
          <summary>
            {t("others")} ({others.length})
          </summary>
          {others.map((card) => (
            <ModelChoice key={card.id} card={card} chosen={chosen} leading={false} onChoose={onChoose} />
          ))}
        </details>
      ) : null}
    </Card>
  );
}

function Availability({ best }: { best: Model | undefined }) {
  const t = useT();
  if (!best || !isUsable(best)) return null;
  if (best.ready)
    return (
      <Chip tone="delta" icon={<IconBolt size={14} aria-hidden />}>
        {t("now")}
      </Chip>
    );
  return <Chip icon={<IconDownload size={14} aria-hidden />}>{t("fetch")}</Chip>;
}

type ChoiceProps = { card: Model; chosen: string | null; leading: boolean; onChoose: (id: string) => void };

/** A model with its facts and either the press that takes it or the reason why it cannot be taken. */
export function ModelChoice({ card, chosen, leading, onChoose }: ChoiceProps) {
  const t = useT();
  const take = card.id === chosen ? t("go_on") : leading ? t("start") : t("use");
  return (
    <div className={classes.model}>
      <h3 className={classes.name}>
        {card.name}
        {card.id === chosen ? <Chip tone="attn">{t("in_use")}</Chip> : null}
      </h3>
      <Facts card={card} />
      {card.gated && !card.ready ? <p className={classes.words}>{t("gated_help", { id: card.id })}</p> : null}
      {card.reason ? <ErrorNote error={new ImfineError(card.reason)} compact /> : null}
      {isUsable(card) ? (
        <Button
          kind={leading ? "primary" : "plain"}
          className={classes.take}
          aria-label={`${take}: ${card.name}`}
          onClick={() => onChoose(card.id)}
        >
          {take}
        </Button>
      ) : null}
    </div>
  );
}
