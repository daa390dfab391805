/** Models on this machine that cannot be turned: named with their reason, so that nobody searches for them. */
import type { Card } from "@/api/types";
import { ImfineError } from "@/shared/errors";
import { useErrorWords } from "@/shared/i18n/errorWords";
import classes from "./Strangers.module.css";
import { useT } from "./words";

export function Strangers({ cards }: { cards: Card[] }) {
  const t = useT();
  const words = useErrorWords();
  if (cards.length === 0) return null;
  return (
    <details className={classes.strangers}>
      <summary>
        {t("strangers")} ({cards.length})
      </summary>
      <ul>
        {cards.map((card) => (
          <li key={card.id}>
            <strong>{card.name}</strong>
            <span>{card.reason ? words(new ImfineError(card.reason)).cause : card.architecture}</span>
          </li>
        ))}
      </ul>
    </details>
  );
}
