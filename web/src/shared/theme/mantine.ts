/** Mantine in our clothes: its behaviour (focus, keys, layers), our tokens. Knows no component's content. */
import { type CSSVariablesResolver, createTheme } from "@mantine/core";

const amber = [
  "#fff6e3",
  "#ffebc4",
  "#ffdd99",
  "#ffcf6b",
  "#ffc247",
  "#ffb627",
  "#e09a0c",
  "#b26a00",
  "#935500",
  "#6b3e00",
] as const;

const overlayProps = { color: "var(--backdrop)", backgroundOpacity: 1 };

export const theme = createTheme({
  fontFamily: "var(--font)",
  fontFamilyMonospace: "var(--mono)",
  colors: { amber },
  primaryColor: "amber",
  primaryShade: { light: 7, dark: 5 },
  autoContrast: true,
  defaultRadius: "md",
  radius: { sm: "8px", md: "10px", lg: "14px" },
  cursorType: "pointer",
  respectReducedMotion: true,
  components: {
    Modal: { defaultProps: { radius: "lg", shadow: "none", centered: true, overlayProps } },
    Drawer: { defaultProps: { shadow: "none", overlayProps } },
    ModalHeader: { defaultProps: { role: "presentation" } }, // no second banner of the page
    DrawerHeader: { defaultProps: { role: "presentation" } },
    Menu: { defaultProps: { radius: "lg", shadow: "none" } },
    Popover: { defaultProps: { radius: "lg", shadow: "none" } },
    Tooltip: {
      defaultProps: {
        radius: "sm",
        withArrow: false,
        openDelay: 400,
        events: { hover: true, focus: true, touch: false },
      },
    },
  },
});

const scheme = {
  "--mantine-color-body": "var(--surface)",
  "--mantine-color-text": "var(--text)",
  "--mantine-color-dimmed": "var(--quiet)",
  "--mantine-color-default": "var(--surface)",
  "--mantine-color-default-hover": "var(--surface-2)",
  "--mantine-color-default-color": "var(--text)",
  "--mantine-color-default-border": "var(--line)",
  "--mantine-color-placeholder": "var(--quiet)",
  "--mantine-color-anchor": "var(--accent-ink)",
  "--mantine-color-error": "var(--collapse-ink)",
};

export const cssVariablesResolver: CSSVariablesResolver = () => ({
  variables: {},
  dark: scheme,
  light: scheme,
});
