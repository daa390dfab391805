/** The data on their way to the server, several files as one zip. Lives as long as the page is open, so that a visit to another screen ends nothing.
 *  Knows the API, no component. */
import { create } from "zustand";
import { type Dataset, uploadDataset } from "@/api/train";
import { asImfineError, type ImfineError, isAbort } from "@/shared/errors";
import { inOne, nameOf } from "./logic/zip";

/** While several files are packed `sent` of `total` counts them, later bytes. */
interface Upload {
  state: "idle" | "packing" | "sending" | "reading" | "failed";
  name: string;
  file: File | null;
  sent: number;
  total: number;
  error: ImfineError | null;
}

const IDLE: Upload = { state: "idle", name: "", file: null, sent: 0, total: 0, error: null };
export const useUpload = create<Upload>(() => IDLE);

let running: AbortController | null = null;

/** Resolves with the data set; null: it failed, which the store tells, or was called off. */
export async function send(
  files: readonly File[],
  columns?: Record<string, string>,
): Promise<Dataset | null> {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const name = files.length === 1 ? (files[0]?.name ?? "") : nameOf(files);
  useUpload.setState({ ...IDLE, name, state: "packing", total: files.length });
  const packed = (sent: number) => running === mine && useUpload.setState({ sent });
  try {
    const file = await inOne(files, packed, mine.signal);
    if (running !== mine) return null;
    useUpload.setState({ state: "sending", file, name: file.name, sent: 0, total: file.size });
    const dataset = await uploadDataset(file, {
      columns,
      signal: mine.signal,
      onProgress: (sent, total) => {
        if (running === mine)
          useUpload.setState({ sent, total, state: sent < total ? "sending" : "reading" });
      },
    });
    if (running === mine) useUpload.setState(IDLE, true);
    return dataset;
  } catch (thrown) {
    if (running === mine)
      useUpload.setState(isAbort(thrown) ? IDLE : { state: "failed", error: asImfineError(thrown) });
    return null;
  }
}

export function callOff(): void {
  running?.abort();
  running = null;
  useUpload.setState(IDLE, true);
}
