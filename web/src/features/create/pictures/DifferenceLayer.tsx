/** Where two finished pictures differ, drawn on a canvas over the original. Knows two addresses. */
import { useEffect, useRef, useState } from "react";
import { type Difference, differenceOf } from "./difference";

type Found = Pick<Difference, "most" | "gain">;

export function DifferenceLayer({
  base,
  tuned,
  onFound,
}: {
  base: string;
  tuned: string;
  onFound: (found: Found | null) => void;
}) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [ready, setReady] = useState(false);
  useEffect(() => {
    let over = false;
    setReady(false);
    onFound(null);
    Promise.all([pixelsOf(base), pixelsOf(tuned)])
      .then(([a, b]) => {
        const element = canvas.current;
        const context = element?.getContext("2d");
        if (over || !element || !context || a.width !== b.width || a.height !== b.height) return;
        const { pixels, most, gain } = differenceOf(a.data, b.data);
        element.width = a.width;
        element.height = a.height;
        context.putImageData(new ImageData(pixels, a.width, a.height), 0, 0);
        setReady(true);
        onFound({ most, gain });
      })
      .catch(() => undefined); // the pictures themselves say what is wrong with them
    return () => {
      over = true;
    };
  }, [base, tuned, onFound]);
  return <canvas ref={canvas} hidden={!ready} />;
}

async function pixelsOf(url: string): Promise<ImageData> {
  const answer = await fetch(url, { credentials: "same-origin" });
  const bitmap = await createImageBitmap(await answer.blob());
  const canvas = document.createElement("canvas");
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new TypeError("no canvas");
  context.drawImage(bitmap, 0, 0);
  return context.getImageData(0, 0, bitmap.width, bitmap.height);
}
