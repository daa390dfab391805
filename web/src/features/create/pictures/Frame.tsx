/** A picture as it stands, finished or forming, under the shared zoom. A small one that is zoomed is shown pixel by
 *  pixel: then nothing is smoothed into it. Knows a picture, no lane. */
import type { ReactNode } from "react";
import classes from "./Frame.module.css";
import type { PictureView } from "./lanes";
import type { Zoom } from "./useZoom";
import { usePictureWords } from "./words";
import { transformOf } from "./zoom";

const SMALL = 160; // pixels a side; below, a screen shows every one of them as a square

export const srcOf = (picture: PictureView | undefined): string | null =>
  picture ? (picture.url ?? picture.preview) : null;

type Props = {
  picture: PictureView | undefined;
  label: string;
  prompt: string;
  zoom: Zoom;
  stale: boolean;
  empty: string;
  pannable?: boolean;
  children?: ReactNode; // what lies over the picture, zoomed with it
  over?: ReactNode; // what lies over the frame
};

export function Frame({
  picture,
  label,
  prompt,
  zoom,
  stale,
  empty,
  pannable = true,
  children,
  over,
}: Props) {
  const t = usePictureWords();
  const src = srcOf(picture);
  const forming = picture?.preview != null;
  const { ref, ...pointers } = zoom.bind;
  const alt = forming
    ? t("altPreview", { lane: label, step: picture?.step, steps: picture?.steps })
    : t("alt", { lane: label, prompt, seed: picture?.seed });
  return (
    <div
      ref={ref}
      className={classes.frame}
      data-zoomed={zoom.view.scale > 1 || undefined}
      data-stale={stale || undefined}
      data-small={(picture?.url && picture.width <= SMALL) || undefined}
      style={{ aspectRatio: picture?.width ? `${picture.width} / ${picture.height}` : 1 }}
      {...(pannable ? pointers : {})}
    >
      {src ? (
        <div className={classes.inner} style={{ transform: transformOf(zoom.view) }}>
          <img src={src} alt={alt} draggable={false} />
          {children}
        </div>
      ) : (
        <p className={classes.empty}>{empty}</p>
      )}
      {over}
      {forming ? (
        <span className={classes.step}>{t("step", { step: picture?.step, steps: picture?.steps })}</span>
      ) : null}
    </div>
  );
}
