/** A recipe in words: short for a row of the list, whole for the detail. */

import { number } from "@/shared/i18n/format";
import { Chip } from "@/shared/ui/Chip";
import classes from "./RecipeWords.module.css";
import { type RecipePart, recipeParts } from "./recipe";
import { useT } from "./words";

export function RecipeWords({ recipe, whole = false }: { recipe: Record<string, unknown>; whole?: boolean }) {
  const t = useT();
  const parts = recipeParts(recipe);
  if (parts.length === 0) return <span className={classes.neutral}>{t("neutral")}</span>;
  const knobs = parts.filter((part) => part.kind === "knob");
  const bands = parts.filter((part) => part.kind === "band");
  const points = parts.filter((part) => part.kind === "point");
  const deltas = parts.filter((part) => part.kind === "delta");
  return (
    <span className={classes.parts}>
      {knobs.map(({ name, value }) => (
        <Chip key={name} tone={name}>
          {name.toUpperCase()} {number(value, 2)}
        </Chip>
      ))}
      {deltas.map(({ name, value }) => (
        <Chip key={`delta ${name}`} tone="delta">
          {name} {number(value, 2)}
        </Chip>
      ))}
      {whole
        ? [...bands, ...points].map((part) => <Whole key={`${part.kind}.${part.name}`} part={part} />)
        : [
            bands.length > 0 && (
              <Chip key="bands">
                {t("bands", { parts: bands.map(({ name }) => name.toUpperCase()).join(", ") })}
              </Chip>
            ),
            points.length > 0 && <Chip key="points">{t("points", { count: points.length })}</Chip>,
          ]}
    </span>
  );
}

function Whole({ part }: { part: Extract<RecipePart, { kind: "band" | "point" }> }) {
  const t = useT();
  if (part.kind === "band")
    return (
      <Chip tone={part.name}>{t("layers", { part: part.name.toUpperCase(), count: part.changed })}</Chip>
    );
  return (
    <Chip>
      <code>{part.name}</code> {number(part.value, 2)}
    </Chip>
  );
}
