/** Which column is which, where their names say nothing. Knows names, no file. */
import { useState } from "react";
import { Button } from "@/shared/ui/Button";
import { SelectField } from "@/shared/ui/fields";
import { useT } from "../words";
import classes from "./Data.module.css";

type Props = { names: readonly string[]; onTake: (columns: Record<string, string>) => void };

const PARTS = { pairs: ["prompt", "completion"], texts: ["text"] } as const;

export function Columns({ names, onTake }: Props) {
  const t = useT();
  const [kind, setKind] = useState<keyof typeof PARTS>(names.length > 1 ? "pairs" : "texts");
  const [chosen, setChosen] = useState<Record<string, string>>({});
  const parts = PARTS[kind];
  const mapping = Object.fromEntries(parts.map((part) => [part, chosen[part] ?? ""]));
  const given = Object.values(mapping);
  const whole = given.every((name) => name !== "") && new Set(given).size === given.length;
  const options = [{ value: "", name: t("columns.pick") }, ...names.map((name) => ({ value: name, name }))];
  return (
    <div className={classes.columns}>
      <p>{t("columns.lead")}</p>
      <SelectField
        name={t("columns.kind")}
        value={kind}
        options={[
          { value: "pairs", name: t("columns.pairs") },
          { value: "texts", name: t("columns.texts") },
        ]}
        onChange={setKind}
      />
      {parts.map((part) => (
        <SelectField
          key={part}
          name={t(`columns.${part}`)}
          value={mapping[part] ?? ""}
          options={options}
          onChange={(name) => setChosen({ ...chosen, [part]: name })}
        />
      ))}
      <Button kind="primary" disabled={!whole} onClick={() => onTake(mapping)}>
        {t("columns.take")}
      </Button>
    </div>
  );
}
