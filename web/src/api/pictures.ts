/** Pictures of a run: their events, settings and files. Knows the API, no screen. */
import { errorFromBody } from "@/shared/errors";
import type { RecipeJson } from "./types";

/** How a picture is made, as it is asked for; whatever is left out is the model's own. */
export interface ImageJson {
  negative?: string;
  steps?: number;
  guidance?: number;
  scheduler?: string;
  width?: number;
  height?: number;
  count?: number;
  seed?: number | null;
  previews?: boolean;
}

interface OfRun {
  run: string;
  attempt: number;
  lane: number;
  index: number;
}

/** The picture so far, small. Told on live streams only: it has no id and is in no log. */
export interface PreviewEvent extends OfRun {
  type: "preview";
  step: number;
  steps: number;
  mime: string;
  data: string;
}

export interface PictureEvent extends OfRun {
  type: "picture";
  seed: number;
  width: number;
  height: number;
  sha256: string;
  size: number;
  url: string;
}

export interface PictureMeasuresEvent extends OfRun {
  type: "picture_measures";
  difference: number | null;
  ssim: number | null;
  colourfulness: number;
  sharpness: number;
}

/** What one of our PNGs says of itself. */
export interface KeptPicture {
  model: string;
  revision?: string | null;
  checksum?: string | null;
  prompt: string;
  recipe: RecipeJson;
  image: ImageJson;
  seed: number;
  lane: string;
  version?: string;
}

export interface PictureResult {
  index: number;
  seed: number;
  sha256: string;
  width: number;
  height: number;
}

export const artifactUrl = (sha256: string): string => `/api/artifacts/${sha256}.png`;

/** What a PNG carries; thrown with its reason where it carries nothing of ours. */
export async function readPicture(file: Blob): Promise<KeptPicture> {
  const answer = await fetch("/api/pictures/read", {
    method: "POST",
    headers: { "content-type": "image/png" },
    credentials: "same-origin",
    body: file,
  });
  if (!answer.ok)
    throw errorFromBody(
      await answer.json().catch(() => null),
      answer.status,
      answer.headers.get("x-request-id"),
    );
  return (await answer.json()) as KeptPicture;
}
