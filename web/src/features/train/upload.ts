/** The data on their way to the server: files as one zip, or what it fetches from the Hub. Lives as long as the page is
 *  open, so that a visit to another screen ends nothing. Knows the API, no component. */
import { create } from "zustand";
import { type Dataset, fetchHubDataset, uploadDataset } from "@/api/train";
import { asImfineError, type ImfineError, isAbort } from "@/shared/errors";
import { inOne, nameOf } from "./logic/zip";

type Columns = Record<string, string>;

/** While several files are packed `sent` of `total` counts them, later bytes. `again` takes the same with its columns
 *  named. */
interface Upload {
  state: "idle" | "packing" | "sending" | "fetching" | "reading" | "failed";
  name: string;
  hub: boolean; // that is its name there
  sent: number;
  total: number;
  error: ImfineError | null;
  again: ((columns: Columns) => Promise<Dataset | null>) | null;
}

const IDLE: Upload = { state: "idle", name: "", hub: false, sent: 0, total: 0, error: null, again: null };
export const useUpload = create<Upload>(() => IDLE);

let running: AbortController | null = null;

type Tell = (now: Partial<Upload>) => void;

/** One at a time: what comes later takes its place. Resolves with the data set; null: it failed, which the store tells,
 *  or was called off. */
async function take(
  first: Partial<Upload>,
  work: (tell: Tell, signal: AbortSignal) => Promise<Dataset>,
): Promise<Dataset | null> {
  running?.abort();
  const mine = new AbortController();
  running = mine;
  const tell: Tell = (now) => {
    if (running === mine) useUpload.setState(now);
  };
  tell({ ...IDLE, ...first });
  try {
    const dataset = await work(tell, mine.signal);
    if (running !== mine) return null;
    tell(IDLE);
    return dataset;
  } catch (thrown) {
    tell(isAbort(thrown) ? IDLE : { state: "failed", error: asImfineError(thrown) });
    return null;
  }
}

export function send(files: readonly File[], columns?: Columns): Promise<Dataset | null> {
  const [only] = files;
  const name = files.length === 1 && only ? only.name : nameOf(files);
  return take({ name, state: "packing", total: files.length }, async (tell, signal) => {
    const file = await inOne(files, (sent) => tell({ sent }), signal);
    const again = (named: Columns) => send([file], named);
    tell({ state: "sending", name: file.name, sent: 0, total: file.size, again });
    return uploadDataset(file, {
      columns,
      signal,
      onProgress: (sent, total) => tell({ sent, total, state: sent < total ? "sending" : "reading" }),
    });
  });
}

export function fetchFromHub(name: string, columns?: Columns): Promise<Dataset | null> {
  const again = (named: Columns) => fetchFromHub(name, named);
  return take({ name, hub: true, state: "fetching", again }, (tell, signal) =>
    fetchHubDataset(name, {
      columns,
      signal,
      onPhase: ({ phase, done, total }) =>
        tell({ state: phase === "downloading" ? "fetching" : "reading", sent: done, total: total ?? 0 }),
    }),
  );
}

export function callOff(): void {
  running?.abort();
  running = null;
  useUpload.setState(IDLE, true);
}
