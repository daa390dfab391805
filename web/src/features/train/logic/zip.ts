/** Several files as one zip, stored as they are: the server takes one file. Knows names, no server. */
import { downloadZip } from "client-zip";

const NEVER_CHANGED = new Date(1980, 0, 1); // the same files are the same zip

/** Where a file lies below what was dropped or chosen. */
export const pathOf = (file: File): string => file.webkitRelativePath || file.name;

/** `files` in one; a single one is itself. `onFile`: how many are read. Rejects when `signal` is aborted. */
export async function inOne(
  files: readonly File[],
  onFile: (done: number) => void,
  signal: AbortSignal,
): Promise<File> {
  const [first] = files;
  if (first && files.length === 1) return first;
  async function* entries() {
    for (const [done, file] of files.entries()) {
      signal.throwIfAborted();
      onFile(done);
      yield { name: pathOf(file), input: file, lastModified: NEVER_CHANGED };
    }
  }
  return new File([await downloadZip(entries()).blob()], `${nameOf(files)}.zip`);
}

/** What they are called together: their folder, or how all their names begin. */
export function nameOf(files: readonly File[]): string {
  const [first = "", ...others] = files.map(pathOf);
  const whole = others.reduce((same, path) => {
    let length = 0;
    while (length < same.length && same[length] === path[length]) length += 1;
    return same.slice(0, length);
  }, first);
  const folder = whole.includes("/") ? whole.slice(0, whole.indexOf("/")) : null;
  const name = folder ?? whole.replace(/\.[^.]*$/, "").replace(/[\d\s_.()-]+$/, "");
  return name.length > 1 ? name : "files";
}
