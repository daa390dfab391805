/** `?`: the keys that work on this screen. */
import { Modal } from "@mantine/core";
import { type Command, useCommandRegistry } from "@/shared/store/commands";
import { Kbd } from "@/shared/ui/Kbd";
import { useT } from "../words";
import classes from "./Shortcuts.module.css";
import { usePalette } from "./state";

export function Shortcuts() {
  const t = useT();
  const { shown, close } = usePalette();
  const sets = useCommandRegistry((registry) => registry.sets);
  const groups = new Map<string, Command[]>();
  for (const command of [...sets.values()].flat())
    if (command.keys) groups.set(command.group, [...(groups.get(command.group) ?? []), command]);
  return (
    <Modal
      opened={shown === "shortcuts"}
      onClose={close}
      title={t("shortcuts.title")}
      size={620}
      closeButtonProps={{ "aria-label": t("shortcuts.close") }}
      transitionProps={{ duration: 90 }}
    >
      <div className={classes.groups}>
        {[...groups].map(([group, commands]) => (
          <section key={group}>
            <h3 className={classes.group}>{group}</h3>
            <dl>
              {commands.map((command) => (
                <div key={command.id} className={classes.row}>
                  <dt>{command.title}</dt>
                  <dd>
                    <Kbd keys={command.keys ?? ""} />
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Modal>
  );
}
