/** A small question mark that explains what stands beside it, on press or by keyboard. Knows no content. */
import { Popover } from "@mantine/core";
import { IconHelpCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./Help.module.css";
import { useUiT } from "./words";

export function Help({ about, children }: { about: string; children: ReactNode }) {
  const t = useUiT();
  return (
    <Popover width={280} position="top" withinPortal>
      <Popover.Target>
        <button type="button" className={classes.help} aria-label={`${about}: ${t("help")}`}>
          <IconHelpCircle size={14} aria-hidden />
        </button>
      </Popover.Target>
      <Popover.Dropdown className={classes.drop}>{children}</Popover.Dropdown>
    </Popover>
  );
}
