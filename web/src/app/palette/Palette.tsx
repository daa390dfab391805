/** ⌘K: every command there is at this moment, found by a few letters, done by Enter. */
import { Modal } from "@mantine/core";
import { IconSearch } from "@tabler/icons-react";
import { useEffect, useId, useRef, useState } from "react";
import { type Command, useCommandRegistry } from "@/shared/store/commands";
import { Kbd } from "@/shared/ui/Kbd";
import { useT } from "../words";
import classes from "./Palette.module.css";
import { search } from "./search";
import { usePalette } from "./state";

export function Palette() {
  const t = useT();
  const { shown, close } = usePalette();
  return (
    <Modal.Root
      opened={shown === "palette"}
      onClose={close}
      size={600}
      yOffset="12vh"
      centered={false}
      transitionProps={{ duration: 90 }}
    >
      <Modal.Overlay color="var(--backdrop)" backgroundOpacity={1} />
      <Modal.Content radius="lg" aria-label={t("palette.label")}>
        <List />
      </Modal.Content>
    </Modal.Root>
  );
}

function List() {
  const t = useT();
  const close = usePalette((palette) => palette.close);
  const sets = useCommandRegistry((registry) => registry.sets);
  const [query, setQuery] = useState("");
  const [at, setAt] = useState(0);
  const id = useId();
  const active = useRef<HTMLDivElement>(null);
  const found = search(
    [...sets.values()].flat().filter((command) => command.run && !command.keysOnly),
    query,
  );
  const chosen = Math.min(at, found.length - 1);
  useEffect(() => active.current?.scrollIntoView({ block: "nearest" }));

  const run = (command: Command | undefined) => {
    if (!command) return;
    close();
    command.run?.();
  };
  return (
    <>
      <div className={classes.search}>
        <IconSearch size={18} aria-hidden />
        <input
          data-autofocus
          role="combobox"
          aria-label={t("palette.placeholder")}
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={found[chosen] ? `${id}-${chosen}` : undefined}
          placeholder={t("palette.placeholder")}
          value={query}
          onChange={(event) => {
            setQuery(event.currentTarget.value);
            setAt(0);
          }}
          onKeyDown={(event) => {
            if (event.nativeEvent.isComposing) return; // Enter ends a syllable first
            const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
            if (step && found.length > 0) {
              event.preventDefault();
              setAt((chosen + step + found.length) % found.length);
            } else if (event.key === "Enter") {
              event.preventDefault();
              run(found[chosen]);
            }
          }}
        />
      </div>
      <div id={`${id}-list`} role="listbox" aria-label={t("palette.label")} className={classes.list}>
        {sections(found, query !== "").map(({ group, commands }) => (
          // biome-ignore lint/a11y/useSemanticElements: a group of options, not of fields
          <div key={`${group}.${commands[0]?.index}`} role="group" aria-label={group}>
            {query === "" ? (
              <div aria-hidden className={classes.group}>
                {group}
              </div>
            ) : null}
            {commands.map(({ command, index }) => (
              // biome-ignore lint/a11y/useKeyWithClickEvents: the combobox above has the keys
              <div
                key={command.id}
                id={`${id}-${index}`}
                ref={index === chosen ? active : undefined}
                role="option"
                aria-selected={index === chosen}
                tabIndex={-1}
                className={classes.item}
                onMouseMove={() => setAt(index)}
                onClick={() => run(command)}
              >
                <span className={classes.icon}>{command.icon}</span>
                <span className={classes.title}>{command.title}</span>
                {command.hint ? <span className={classes.hint}>{command.hint}</span> : null}
                {command.keys ? <Kbd keys={command.keys} /> : null}
              </div>
            ))}
          </div>
        ))}
      </div>
      {found.length === 0 ? <p className={classes.none}>{t("palette.none")}</p> : null}
      <p className={classes.foot}>{t("palette.hint")}</p>
    </>
  );
}

type Section = { group: string; commands: { command: Command; index: number }[] };

/** Commands under their headings, each with its place in the whole list; when searched, in order of rank. */
function sections(commands: readonly Command[], ranked: boolean): Section[] {
  const found: Section[] = [];
  commands.forEach((command, index) => {
    const known = found.find(({ group }) => group === command.group);
    const last = ranked ? found.at(-1) : known;
    if (last && (!ranked || last.group === command.group)) last.commands.push({ command, index });
    else found.push({ group: command.group, commands: [{ command, index }] });
  });
  return found;
}
