/** Adapters: a LoRA's file becomes a delta of a model. Knows the API, no screen. */
import { errorFromBody } from "@/shared/errors";
import type { Adapter } from "./types";

/** The file is the body, in pieces: nothing of it is read here. Raises: ImfineError. */
export async function giveAdapter(file: File, model: string, name: string): Promise<Adapter> {
  const query = new URLSearchParams({ model, name });
  const answer = await fetch(`/api/adapters?${query}`, {
    method: "POST",
    credentials: "same-origin",
    headers: { "content-type": "application/octet-stream" },
    body: file,
  });
  const told = await answer.json().catch(() => null);
  if (!answer.ok) throw errorFromBody(told, answer.status, answer.headers.get("x-request-id"));
  return told as Adapter;
}
