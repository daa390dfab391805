/** What was trained from this model or given for it, each a green knob beside the others; more are laid out from a
 *  list, or come as a file. Knows the model's deltas and the draft. */
import { Menu } from "@mantine/core";
import { IconPlus } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { giveAdapter } from "@/api/adapters";
import type { Delta } from "@/api/types";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { adapterName, isAdapter, turnOn } from "../logic/adapters";
import { useDraft } from "../logic/draft";
import { useWords } from "../messages";
import { DeltaKnob } from "./DeltaKnob";
import classes from "./Deltas.module.css";

type Props = {
  model: string;
  deltas: readonly Delta[];
  labelOf: (id: string) => string;
  onTouch: (id: string) => void;
};

export function Deltas({ model, deltas, labelOf, onTouch }: Props) {
  const t = useWords();
  const client = useQueryClient();
  const field = useRef<HTMLInputElement>(null);
  const laidOut = useDraft((draft) => draft.recipe.deltas);
  const [giving, setGiving] = useState<string | null>(null);
  const [error, setError] = useState<unknown>(null);
  const rest = deltas.filter(({ id }) => !(id in laidOut));
  const names = useRef<string[]>([]);
  names.current = deltas.map(({ id }) => id);

  const give = useCallback(
    async (file: File | undefined) => {
      if (!file || !isAdapter(file)) return;
      const name = adapterName(file.name, names.current);
      setError(null);
      setGiving(name);
      try {
        await giveAdapter(file, model, name);
        await client.invalidateQueries({ queryKey: ["models", model] });
        turnOn(name);
      } catch (thrown) {
        setError(thrown);
      } finally {
        setGiving(null);
      }
    },
    [client, model],
  );

  useEffect(() => {
    const drop = (event: DragEvent) => void give(event.dataTransfer?.files[0]);
    window.addEventListener("drop", drop);
    return () => window.removeEventListener("drop", drop);
  }, [give]);

  return (
    <>
      {deltas
        .filter(({ id }) => id in laidOut)
        .map((delta) => (
          <DeltaKnob key={delta.id} id={delta.id} label={labelOf(delta.id)} delta={delta} onTouch={onTouch} />
        ))}
      <div className={classes.more}>
        <Menu position="bottom-start" withinPortal>
          <Menu.Target>
            <Button kind="quiet" size="small" title={t("delta.addHelp")}>
              <IconPlus size={16} aria-hidden /> {t("delta.add")}
            </Button>
          </Menu.Target>
          <Menu.Dropdown className={classes.list}>
            {rest.map(({ id, kind, method, tensors }) => (
              <Menu.Item key={id} onClick={() => turnOn(id)}>
                <span className={classes.name}>{labelOf(id)}</span>
                <span className={classes.about}>
                  {t(`delta.kind.${kind}`)} · {t(`delta.method.${method}`)} ·{" "}
                  {t("delta.tensors", { count: tensors })}
                </span>
              </Menu.Item>
            ))}
            {deltas.length === 0 ? <p className={classes.none}>{t("delta.none")}</p> : null}
            {rest.length > 0 ? <Menu.Divider /> : null}
            <Menu.Item onClick={() => field.current?.click()}>
              <span className={classes.file}>{t("delta.file")}</span>
              <span className={classes.about}>{t("delta.fileHelp")}</span>
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
        <input
          ref={field}
          type="file"
          accept=".safetensors,.zip"
          aria-label={t("delta.file")}
          hidden
          onChange={(event) => {
            void give(event.target.files?.[0]);
            event.target.value = "";
          }}
        />
        <span className={classes.told} role="status">
          {giving === null ? null : t("delta.giving", { name: giving })}
        </span>
      </div>
      {error ? <ErrorNote error={error} compact /> : null}
    </>
  );
}
