/** Pictures of a run: their events, settings and files. Knows the API, no screen. */
import { errorFromBody } from "@/shared/errors";
import type { components } from "./schema";

type S = components["schemas"];

/** How a picture is made, as it is asked for; whatever is left out is the model's own. */
export type ImageJson = Partial<S["ImageIn"]>;
export type PictureMeasuresEvent = S["PictureMeasuresEvent"];
/** What one of our PNGs says of itself. */
export type KeptPicture = S["KeptPicture"];

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
