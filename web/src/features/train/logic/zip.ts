/** Several files as one zip, stored as they are: the server takes one file. Knows bytes and names, no server. */
import { ImfineError } from "@/shared/errors";

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const VERSION = 20;
const UTF8 = 0x0800; // names are
const STORED = 0;
const DATE = (1 << 5) | 1; // 1980-01-01: the same files are the same zip
const MOST_FILES = 0xffff - 1;
const MOST_BYTES = 4_000_000_000; // a zip of more is written otherwise

/** Where a file lies below what was dropped or chosen. */
export const pathOf = (file: File): string => file.webkitRelativePath || file.name;

/** `files` in one; a single one is itself. `onFile`: how many are read. Rejects with ImfineError for too many, and when
 *  `signal` is aborted. */
export async function inOne(
  files: readonly File[],
  onFile: (done: number) => void,
  signal: AbortSignal,
): Promise<File> {
  const [first] = files;
  if (first && files.length === 1) return first;
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  if (files.length > MOST_FILES || bytes > MOST_BYTES) throw tooMuch(files.length, bytes);
  const parts: BlobPart[] = [];
  const list: BlobPart[] = [];
  let at = 0;
  for (const [done, file] of files.entries()) {
    signal.throwIfAborted();
    onFile(done);
    const name = new TextEncoder().encode(pathOf(file));
    const crc = crc32(new Uint8Array(await file.arrayBuffer()));
    const about = [VERSION, UTF8, STORED, 0, DATE] as const;
    const sizes = [crc, file.size, file.size] as const;
    const local = record([LOCAL], about, sizes, [name.length, 0], []);
    parts.push(local, name, file);
    list.push(record([CENTRAL], [VERSION, ...about], sizes, [name.length, 0, 0, 0, 0], [0, at]), name);
    at += local.byteLength + name.length + file.size;
  }
  const size = list.reduce((sum, part) => sum + (part as Uint8Array).byteLength, 0);
  const end = record([END], [0, 0, files.length, files.length], [size, at], [0], []);
  return new File([...parts, ...list, end], `${nameOf(files)}.zip`);
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

/** Numbers one after another, little end first: 32 bits, 16, 32, 16, 32. */
function record(...groups: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  const width = (group: number) => (group % 2 === 0 ? 4 : 2);
  const bytes = groups.reduce((sum, group, i) => sum + group.length * width(i), 0);
  const view = new DataView(new ArrayBuffer(bytes));
  let at = 0;
  groups.forEach((group, i) => {
    for (const number of group) {
      if (width(i) === 4) view.setUint32(at, number, true);
      else view.setUint16(at, number, true);
      at += width(i);
    }
  });
  return new Uint8Array(view.buffer);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit++) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
  return rest;
});

export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (TABLE[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const tooMuch = (files: number, bytes: number) =>
  new ImfineError({
    code: "too_large",
    message: `${files} files of ${Math.round(bytes / 1e6)} MB are too much to be packed here`,
    remedy: "pack them into a zip and drop that",
    params: { limit_bytes: MOST_BYTES },
  });
