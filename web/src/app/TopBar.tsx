/** The bar on top: the model in use, the palette, language and theme. */
import { type MantineColorScheme, Menu, useMantineColorScheme } from "@mantine/core";
import {
  IconCheck,
  IconCommand,
  IconDeviceDesktop,
  IconLanguage,
  IconMoon,
  IconSun,
} from "@tabler/icons-react";
import { LANGUAGES, setLanguage, useLanguage } from "@/shared/i18n/i18n";
import { isMac } from "@/shared/keys";
import { ModelChip } from "./ModelChip";
import { usePalette } from "./palette/state";
import classes from "./TopBar.module.css";
import { useT } from "./words";

export function TopBar() {
  const t = useT();
  const open = usePalette((palette) => palette.open);
  return (
    <header className={classes.bar}>
      <ModelChip />
      <span className={classes.space} />
      <button type="button" className={classes.button} onClick={open} aria-haspopup="dialog">
        <span className={classes.keys} aria-hidden>
          {isMac ? "⌘K" : "Ctrl K"}
        </span>
        <IconCommand size={17} aria-hidden className={classes.touch} />
        <span className="visually-hidden">{t("palette.open")}</span>
      </button>
      <LanguageMenu />
      <ThemeMenu />
    </header>
  );
}

function LanguageMenu() {
  const t = useT();
  const language = useLanguage();
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <button type="button" className={classes.button}>
          <span className="visually-hidden">{t("language.label")}: </span>
          <IconLanguage size={16} aria-hidden className={classes.wide} />
          {t(`language.${language}`)}
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {LANGUAGES.map((one) => (
          <Menu.Item
            key={one}
            lang={one}
            onClick={() => setLanguage(one)}
            rightSection={one === language ? <IconCheck size={16} aria-hidden /> : null}
            aria-current={one === language || undefined}
          >
            {t(`language.${one}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}

const THEMES: readonly [MantineColorScheme, typeof IconSun][] = [
  ["light", IconSun],
  ["dark", IconMoon],
  ["auto", IconDeviceDesktop],
];

function ThemeMenu() {
  const t = useT();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Now = THEMES.find(([name]) => name === colorScheme)?.[1] ?? IconDeviceDesktop;
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <button type="button" className={classes.button}>
          <Now size={17} aria-hidden />
          <span className="visually-hidden">
            {t("theme.label")}: {t(`theme.${colorScheme}`)}
          </span>
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {THEMES.map(([name, Icon]) => (
          <Menu.Item
            key={name}
            leftSection={<Icon size={16} aria-hidden />}
            rightSection={name === colorScheme ? <IconCheck size={16} aria-hidden /> : null}
            onClick={() => setColorScheme(name)}
            aria-current={name === colorScheme || undefined}
          >
            {t(`theme.${name}`)}
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
