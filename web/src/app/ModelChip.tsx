/** The model in use, in words, and the way to another one. */
import { Menu } from "@mantine/core";
import { IconCheck, IconChevronDown, IconCube } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { modelQuery, modelsQuery } from "@/api/models";
import type { Card } from "@/api/types";
import { familyOf } from "@/features/choose/families";
import { languageName } from "@/shared/i18n/format";
import { useChosenModel } from "@/shared/store/model";
import classes from "./ModelChip.module.css";
import { useT } from "./words";

export function ModelChip() {
  const t = useT();
  const navigate = useNavigate();
  const { id, choose } = useChosenModel();
  const models = useQuery(modelsQuery);
  const listed = models.data?.find((card) => card.id === id);
  const one = useQuery({ ...modelQuery(id ?? ""), enabled: id !== null && models.isSuccess && !listed });
  const card = listed ?? one.data?.card;
  const words = useCardWords(card);
  const usable = models.data?.filter((other) => other.reason === null && other.fits !== false) ?? [];
  const name = card?.name ?? id;
  return (
    <Menu position="bottom-start" withinPortal width={300}>
      <Menu.Target>
        <button type="button" className={classes.chip}>
          {name === null ? (
            <span className={classes.name}>{t("model.none")}</span>
          ) : (
            <>
              <span className="visually-hidden">{t("model.menu")}: </span>
              <span className={classes.name}>{name}</span>
              <span className={classes.words}>{one.isError ? t("model.missing") : words}</span>
            </>
          )}
          <IconChevronDown size={15} aria-hidden className={classes.arrow} />
        </button>
      </Menu.Target>
      <Menu.Dropdown>
        {usable.map((other) => (
          <Menu.Item
            key={other.id}
            onClick={() => choose(other.id)}
            rightSection={other.id === id ? <IconCheck size={16} aria-hidden /> : null}
            aria-current={other.id === id || undefined}
          >
            {other.name}
          </Menu.Item>
        ))}
        {usable.length > 0 ? <Menu.Divider /> : null}
        <Menu.Item
          leftSection={<IconCube size={16} aria-hidden />}
          onClick={() => void navigate({ to: "/models" })}
        >
          {t("model.all")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function useCardWords(card: Card | undefined): string {
  const t = useT();
  if (!card) return "";
  const family = familyOf(card);
  const state = card.reason ? t("model.unusable") : card.ready ? t("model.ready") : t("model.fetch");
  const languages = card.languages?.slice(0, 2).map(languageName).join(", ");
  const unit = card.kind === "image" ? "model.blocks" : "model.layers";
  const named = family ? t(`model.family.${family}`) : card.architecture;
  return [named, card.layers === null ? null : t(unit, { count: card.layers }), languages, state]
    .filter(Boolean)
    .join(" · ");
}
