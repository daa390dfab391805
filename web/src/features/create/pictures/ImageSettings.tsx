/** How a picture is made, folded beneath the prompt. Knows the draft's settings and the model's own. */

import { NumberField, SeedField } from "@/shared/ui/fields";
import settings from "@/shared/ui/fields.module.css";
import { setImage, useDraft } from "../logic/draft";
import type { Layout } from "../logic/recipe";
import { Settings } from "../ui/Settings";
import {
  type ImageSettings as Image,
  type ImageLayout,
  imageLimits,
  ownSettings,
  SCHEDULERS,
} from "./settings";
import { usePictureWords } from "./words";

export function ImageSettings({ layout }: { layout: Layout | null }) {
  const t = usePictureWords();
  const image = useDraft((draft) => draft.image);
  const own = ownSettings(layout?.image as Partial<ImageLayout> | undefined);
  const limits = imageLimits(own);
  const now = {
    steps: image.steps ?? own.steps,
    guidance: image.guidance ?? own.guidance,
    width: image.width ?? own.size,
    height: image.height ?? own.size,
    count: image.count,
  };
  const change: Record<keyof typeof now, (value: number) => Partial<Image>> = {
    steps: (steps) => ({ steps }),
    guidance: (guidance) => ({ guidance }),
    width: (width) => ({ width, height: now.height }),
    height: (height) => ({ height, width: now.width }),
    count: (count) => ({ count }),
  };
  return (
    <Settings summary={t("summary", { ...now, seed: image.seed })}>
      <label className={settings.stop}>
        <span>{t("negative")}</span>
        <textarea
          rows={2}
          value={image.negative}
          onChange={(event) => setImage({ negative: event.target.value })}
        />
      </label>
      <div className={settings.fields}>
        {(["steps", "guidance", "width", "height", "count"] as const).map((name) => (
          <NumberField
            key={name}
            name={t(name)}
            value={now[name]}
            limits={limits[name]}
            onChange={(value) => setImage(change[name](value))}
          />
        ))}
        <label className={settings.field}>
          <span>{t("scheduler")}</span>
          <select
            value={image.scheduler}
            onChange={(event) => {
              const scheduler = SCHEDULERS.find((one) => one === event.target.value);
              if (scheduler) setImage({ scheduler });
            }}
          >
            {SCHEDULERS.map((one) => (
              <option key={one} value={one}>
                {t(`schedulers.${one}`)}
              </option>
            ))}
          </select>
        </label>
        <SeedField value={image.seed} onChange={(seed) => setImage({ seed })} />
      </div>
    </Settings>
  );
}
