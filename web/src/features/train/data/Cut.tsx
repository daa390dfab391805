/** A picture cut as training cuts it: the middle as a square of so many pixels, on white where it is transparent. */
import { useEffect, useRef, useState } from "react";
import { useT } from "../words";
import classes from "./PicturePreview.module.css";

const SMALL = 160; // pixels a side; below, every one of them is shown as a square
const PLAIN = 256;

/** `pixels`: a side; null: it is not known. */
export function Cut({ url, alt, pixels }: { url: string; alt: string; pixels: number | null }) {
  const t = useT();
  const canvas = useRef<HTMLCanvasElement>(null);
  const [broken, setBroken] = useState(false);
  const side = pixels ?? PLAIN;
  useEffect(() => {
    const image = new Image();
    image.onload = () => draw(canvas.current, image, side);
    image.onerror = () => setBroken(true);
    image.src = url;
    return () => {
      image.onload = image.onerror = null;
    };
  }, [url, side]);
  if (broken) return <span className={classes.broken}>{t("preview.broken")}</span>;
  return (
    <canvas
      ref={canvas}
      className={classes.cut}
      width={side}
      height={side}
      data-small={side <= SMALL || undefined}
      role="img"
      aria-label={alt}
    />
  );
}

/** The browser turns it as its EXIF says, as training does. */
function draw(canvas: HTMLCanvasElement | null, image: HTMLImageElement, side: number): void {
  const brush = canvas?.getContext("2d");
  if (!canvas || !brush) return;
  const { naturalWidth: width, naturalHeight: height } = image;
  const middle = Math.min(width, height);
  brush.fillStyle = "white";
  brush.fillRect(0, 0, side, side);
  brush.imageSmoothingQuality = "high";
  brush.drawImage(image, (width - middle) / 2, (height - middle) / 2, middle, middle, 0, 0, side, side);
}
