/** Every recipe heard on this prompt, newest first; a click brings recipe and answer back. Knows kept variants. */
import { memo, useMemo } from "react";
import { heardKey, useDraft } from "../logic/draft";
import { formatGain, formatKnob, type RecipeJson, short } from "../logic/recipe";
import { collapseOf, useVariants, type Variant } from "../logic/variants";
import { useWords } from "../messages";
import { bringBack } from "../studio";
import { useCollapseWords } from "./collapseWords";
import classes from "./Filmstrip.module.css";

export function useRecipeName(): (recipe: RecipeJson) => string {
  const t = useWords();
  return (recipe) => {
    const { knobs, deltas, bands, points } = short(recipe);
    const parts = knobs.map(({ name, value }) => `${name.toUpperCase()} ${formatKnob(name, value)}`);
    parts.push(...deltas.map(({ id, value }) => `${id} ${formatGain(value)}`));
    if (bands > 0) parts.push(t("variants.bands", { count: bands }));
    if (points > 0) parts.push(t("variants.points", { count: points }));
    return parts.join(" · ") || t("variants.original");
  };
}

export function Filmstrip({ baseKey, layers }: { baseKey: string; layers: number }) {
  const recipeKey = useDraft((draft) => heardKey(draft, layers));
  const t = useWords();
  const nameOf = useRecipeName();
  const items = useVariants((kept) => kept.items);
  const shown = useMemo(() => items.filter((variant) => variant.baseKey === baseKey), [items, baseKey]);
  if (shown.length === 0) return null;
  return (
    <section className={classes.strip} aria-labelledby="variants-title">
      <h3 id="variants-title" title={t("variants.help")}>
        {t("variants.title")}
      </h3>
      <ul className={classes.list}>
        {shown.map((variant) => (
          <li key={variant.run}>
            <Frame variant={variant} name={nameOf(variant.recipe)} now={variant.recipeKey === recipeKey} />
          </li>
        ))}
      </ul>
    </section>
  );
}

const Frame = memo(function Frame({ variant, name, now }: { variant: Variant; name: string; now: boolean }) {
  const t = useWords();
  const collapseWords = useCollapseWords();
  const collapse = collapseOf(variant);
  return (
    <button
      type="button"
      className={classes.frame}
      data-picture={variant.picture ? true : undefined}
      aria-pressed={now}
      onClick={() => bringBack(variant.run, variant.recipe)}
    >
      {variant.picture ? <img className={classes.thumb} src={variant.picture} alt="" loading="lazy" /> : null}
      <span className={classes.name}>
        <span className={classes.recipe}>{name}</span>
        {now ? <span className={classes.now}>{t("variants.now")}</span> : null}
      </span>
      {collapse ? (
        <span className={classes.collapse}>{t("collapse.is", { why: collapseWords(collapse) })}</span>
      ) : variant.picture ? null : (
        <span className={classes.text}>{variant.beginning || t("variants.empty")}</span>
      )}
    </button>
  );
});
