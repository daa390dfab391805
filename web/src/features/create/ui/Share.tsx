/** The same setting elsewhere: as command, Python, curl, JSON; as a link; as one HTML file. Knows what was asked and
 *  what was answered. */
import { Menu } from "@mantine/core";
import { IconCopy, IconShare3 } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api, body } from "@/api/client";
import { useLanguage } from "@/shared/i18n/i18n";
import { Button } from "@/shared/ui/Button";
import { copyText } from "@/shared/ui/ErrorNote";
import { type Asked, asCommand, asCurl, asJson, asPython } from "../logic/copyAs";
import { heardKey, useDraft } from "../logic/draft";
import { exportHtml } from "../logic/exportHtml";
import { type LanesState, textOf } from "../logic/lanes";
import type { RecipeJson } from "../logic/recipe";
import { toRequest } from "../logic/sampling";
import { useWords } from "../messages";
import classes from "./Share.module.css";

type Props = { model: string; layers: number; state: LanesState; change: string };

export function Share({ model, layers, state, change }: Props) {
  const prompt = useDraft((draft) => draft.prompt);
  const sampling = useDraft((draft) => draft.sampling);
  const recipe = JSON.parse(useDraft((draft) => heardKey(draft, layers))) as RecipeJson;
  const asked: Asked = { model, prompt, recipe, sampling };
  const t = useWords();
  const lang = useLanguage();
  const session = useQuery({
    queryKey: ["session"],
    queryFn: ({ signal }) => body(api.GET("/api/session", { signal })),
    staleTime: Number.POSITIVE_INFINITY,
  });
  const [said, setSaid] = useState<string | null>(null);
  const [refusedText, setRefused] = useState<string | null>(null);
  const publicUrl = session.data?.public_url ?? null;
  const { result } = state;

  const copy = async (text: string) => {
    try {
      await copyText(text);
      setRefused(null);
      setSaid(t("share.copied"));
      setTimeout(() => setSaid(null), 2500);
    } catch {
      setRefused(text);
    }
  };
  const download = () => {
    if (!result) return;
    const html = exportHtml(
      {
        model: result.model,
        revision: result.revision,
        dtype: result.dtype,
        prompt: asked.prompt,
        base: textOf(state.base),
        tuned: textOf(state.tuned),
        recipe: asked.recipe,
        settings: { ...toRequest(asked.sampling), seed: result.seed },
        facts: [
          [t("share.device"), result.device],
          [t("share.checksum"), String(result.checksum.weights ?? "")],
        ],
        command: asCommand(asked),
      },
      {
        lang,
        title: t("share.pageTitle", { model: asked.model }),
        prompt: t("prompt.label"),
        original: t("lanes.base"),
        tuned: t("lanes.tuned"),
        change,
        recipe: t("share.recipe"),
        settings: t("share.settings"),
        layer: t("share.layerWord"),
        made: t("share.made"),
      },
    );
    const url = URL.createObjectURL(new Blob([html], { type: "text/html" }));
    const link = document.createElement("a");
    link.href = url;
    link.download = `imfine-${asked.model.replace(/[^\w.-]+/g, "-")}-${state.run?.slice(-6) ?? ""}.html`;
    link.click();
    URL.revokeObjectURL(url);
  };

  return (
    <div className={classes.share}>
      <span className={classes.said} role="status">
        {said}
      </span>
      <Menu position="bottom-end" withinPortal>
        <Menu.Target>
          <Button size="small">
            <IconCopy size={15} aria-hidden /> {t("share.copy")}
          </Button>
        </Menu.Target>
        <Menu.Dropdown className={classes.menu}>
          <Menu.Item onClick={() => void copy(asCommand(asked))}>{t("share.command")}</Menu.Item>
          <Menu.Item onClick={() => void copy(asPython(asked))}>{t("share.python")}</Menu.Item>
          <Menu.Item onClick={() => void copy(asCurl(asked, publicUrl ?? window.location.origin))}>
            {t("share.curl")}
          </Menu.Item>
          <Menu.Item onClick={() => void copy(asJson(asked))}>{t("share.json")}</Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Menu position="bottom-end" withinPortal width={280}>
        <Menu.Target>
          <Button size="small" disabled={!result}>
            <IconShare3 size={15} aria-hidden /> {t("share.share")}
          </Button>
        </Menu.Target>
        <Menu.Dropdown className={classes.menu}>
          <Menu.Item
            disabled={!publicUrl}
            onClick={() =>
              void copy(new URL(`/create?run=${state.run}`, publicUrl ?? window.location.origin).href)
            }
          >
            {t("share.link")}
            {publicUrl ? null : <small>{t("share.linkLocal")}</small>}
          </Menu.Item>
          <Menu.Item onClick={download}>
            {t("share.file")}
            <small>{t("share.fileHelp")}</small>
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      {refusedText !== null ? (
        <label className={classes.refused}>
          <span>{t("share.copyFailed")}</span>
          <textarea readOnly rows={4} value={refusedText} onFocus={(event) => event.target.select()} />
        </label>
      ) : null}
    </div>
  );
}
