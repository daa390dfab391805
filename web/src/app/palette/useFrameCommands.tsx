/** The commands that are there on every screen. */
import { useMantineColorScheme } from "@mantine/core";
import {
  IconAdjustmentsHorizontal,
  IconCube,
  IconDeviceDesktop,
  IconKeyboard,
  IconLanguage,
  IconLogout,
  IconMenuDeep,
  IconMoon,
  IconSchool,
  IconSun,
} from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useMemo } from "react";
import { modelsQuery } from "@/api/models";
import { signOut } from "@/features/session/signIn";
import { setLanguage, useLanguage } from "@/shared/i18n/i18n";
import { type Command, useCommands } from "@/shared/store/commands";
import { useChosenModel } from "@/shared/store/model";
import { useT } from "../words";
import { usePalette } from "./state";

export function useFrameCommands(): void {
  const t = useT();
  const navigate = useNavigate();
  const language = useLanguage();
  const { setColorScheme } = useMantineColorScheme();
  const { open, openShortcuts } = usePalette();
  const { data: models } = useQuery(modelsQuery);
  const { id: chosen, choose } = useChosenModel();

  const commands = useMemo<Command[]>(() => {
    const go = t("palette.go");
    const view = t("palette.view");
    const help = t("palette.help");
    const icon = { size: 18, stroke: 1.7, "aria-hidden": true } as const;
    const other = language === "ko" ? "en" : "ko";
    const usable = (models ?? []).filter((card) => card.reason === null && card.fits !== false);
    return [
      {
        id: "go.create",
        group: go,
        title: t("nav.create"),
        keys: "G C",
        icon: <IconAdjustmentsHorizontal {...icon} />,
        run: () => void navigate({ to: "/create" }),
      },
      {
        id: "go.train",
        group: go,
        title: t("nav.train"),
        keys: "G T",
        icon: <IconSchool {...icon} />,
        run: () => void navigate({ to: "/train" }),
      },
      {
        id: "go.jobs",
        group: go,
        title: t("nav.jobs"),
        keys: "G J",
        icon: <IconMenuDeep {...icon} />,
        run: () => void navigate({ to: "/jobs" }),
      },
      {
        id: "go.models",
        group: go,
        title: t("nav.models"),
        keys: "G M",
        icon: <IconCube {...icon} />,
        run: () => void navigate({ to: "/models" }),
      },
      ...usable.map((card) => ({
        id: `model.${card.id}`,
        group: t("palette.model"),
        title: t("palette.use", { name: card.name }),
        hint: card.id === chosen ? t("palette.in_use") : undefined,
        icon: <IconCube {...icon} />,
        run: () => choose(card.id),
      })),
      {
        id: "view.light",
        group: view,
        title: t("palette.theme_light"),
        icon: <IconSun {...icon} />,
        run: () => setColorScheme("light"),
      },
      {
        id: "view.dark",
        group: view,
        title: t("palette.theme_dark"),
        icon: <IconMoon {...icon} />,
        run: () => setColorScheme("dark"),
      },
      {
        id: "view.auto",
        group: view,
        title: t("palette.theme_auto"),
        icon: <IconDeviceDesktop {...icon} />,
        run: () => setColorScheme("auto"),
      },
      {
        id: "view.language",
        group: view,
        title: t(`palette.language_${other}`),
        icon: <IconLanguage {...icon} />,
        run: () => setLanguage(other),
      },
      {
        id: "help.palette",
        group: help,
        title: t("shortcuts.palette"),
        keys: "mod+K",
        keysOnly: false,
        run: open,
      },
      {
        id: "help.shortcuts",
        group: help,
        title: t("palette.shortcuts"),
        keys: "?",
        icon: <IconKeyboard {...icon} />,
        run: openShortcuts,
      },
      {
        id: "session.out",
        group: help,
        title: t("palette.sign_out"),
        icon: <IconLogout {...icon} />,
        run: () => void signOut(),
      },
    ];
  }, [t, navigate, language, setColorScheme, open, openShortcuts, models, chosen, choose]);
  useCommands("frame", commands);
}
