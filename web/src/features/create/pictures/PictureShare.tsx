/** Sharing of two pictures: how they were asked for, their PNGs, both as one HTML file. Knows the draft and a pair. */
import { Menu } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { saveAs } from "@/shared/saveAs";
import { Button } from "@/shared/ui/Button";
import { type Asked, asCommand } from "../logic/copyAs";
import { heardKey, useDraft } from "../logic/draft";
import type { LanesState } from "../logic/lanes";
import { bandNames, type Layout, type RecipeJson } from "../logic/recipe";
import { useWords } from "../messages";
import { useExportWords, useFacts } from "../ui/exportWords";
import { Share } from "../ui/Share";
import menu from "../ui/Share.module.css";
import { exportPictures, inlined } from "./exportPictures";
import type { PictureView } from "./lanes";
import { toImageRequest } from "./settings";
import { usePictureWords } from "./words";

type Props = {
  model: string;
  layout: Layout | null;
  state: LanesState;
  base: PictureView | undefined;
  tuned: PictureView | undefined;
  change: string;
};

export function PictureShare({ model, layout, state, base, tuned, change }: Props) {
  const t = usePictureWords();
  const words = useExportWords(model, useWords()("eq.axis"));
  const facts = useFacts();
  const prompt = useDraft((draft) => draft.prompt);
  const image = toImageRequest(useDraft((draft) => draft.image));
  const recipe = JSON.parse(useDraft((draft) => heardKey(draft, layout?.layers ?? 0))) as RecipeJson;
  const bands = layout ? bandNames(layout) : [];
  const asked: Asked = { model, prompt, recipe, how: { image }, bands };
  const { result, run } = state;
  const html =
    result && tuned?.url
      ? async () =>
          exportPictures(
            {
              model,
              prompt,
              base: await inlined(base?.url ?? null),
              tuned: await inlined(tuned.url),
              recipe,
              bands,
              settings: { ...image, seed: tuned.seed },
              facts: facts(result),
              command: asCommand(asked),
            },
            words(change),
          )
      : null;
  const save = (name: string, picture: PictureView | undefined) => () => {
    if (picture?.url) saveAs(`imfine-${name}-${picture.seed}.png`, picture.url);
  };
  return (
    <Share asked={() => asked} run={run} html={html} fileHelp={t("fileHelp")}>
      <Menu position="bottom-end" withinPortal width={260}>
        <Menu.Target>
          <Button size="small" disabled={!tuned?.url && !base?.url}>
            <IconDownload size={15} aria-hidden /> {t("download")}
          </Button>
        </Menu.Target>
        <Menu.Dropdown className={menu.menu}>
          <Menu.Item disabled={!tuned?.url} onClick={save("tuned", tuned)}>
            {t("downloadTuned")}
            <small>{t("downloadHelp")}</small>
          </Menu.Item>
          <Menu.Item disabled={!base?.url} onClick={save("base", base)}>
            {t("downloadBase")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
    </Share>
  );
}
