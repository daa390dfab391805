/** The file on its way to the server. Lives as long as the page is open, so that a visit to another screen ends nothing.
 *  Knows the API, no component. */
import { create } from "zustand";
import { type Dataset, uploadDataset } from "@/api/train";
import { asImfineError, type ImfineError, isAbort } from "@/shared/errors";

interface Upload {
  state: "idle" | "sending" | "reading" | "failed";
  file: File | null;
  sent: number;
  total: number;
  error: ImfineError | null;
}

const IDLE: Upload = { state: "idle", file: null, sent: 0, total: 0, error: null };
export const useUpload = create<Upload>(() => IDLE);

let running: AbortController | null = null;

/** Resolves with the data set; null: it failed, which the store tells, or was called off. */
export async function send(file: File, columns?: Record<string, string>): Promise<Dataset | null> {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  useUpload.setState({ ...IDLE, state: "sending", file, total: file.size });
  try {
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
