// @vitest-environment node
import { describe, expect, it } from "vitest";
import { droppedFiles } from "./droppedFiles";

type Entry = { isFile: boolean; isDirectory: boolean; fullPath: string };
const file = (fullPath: string): Entry => ({
  isFile: true,
  isDirectory: false,
  fullPath,
  ...{ file: (done: (file: File) => void) => done(new File(["x"], fullPath.split("/").at(-1) ?? "")) },
});
/** As browsers do, it gives two at a time, then none. */
const folder = (fullPath: string, ...inside: Entry[]): Entry => ({
  isFile: false,
  isDirectory: true,
  fullPath,
  ...{
    createReader: () => {
      const left = [...inside];
      return { readEntries: (done: (some: Entry[]) => void) => done(left.splice(0, 2)) };
    },
  },
});
const drop = (entries: (Entry | null)[], files: File[] = []) =>
  ({ files, items: entries.map((entry) => ({ webkitGetAsEntry: () => entry })) }) as unknown as DataTransfer;

describe("what is dropped", () => {
  it("is its files", async () => {
    const files = [new File(["a"], "a.png"), new File(["b"], "b.txt")];
    expect(await droppedFiles(drop([file("/a.png"), file("/b.txt")], files))).toEqual(files);
    expect(await droppedFiles(null)).toEqual([]);
  });

  it("is all that lies in its folders, at any depth, each with its path", async () => {
    const cats = folder(
      "/cats",
      file("/cats/1.png"),
      file("/cats/1.txt"),
      folder("/cats/b", file("/cats/b/2.png")),
    );
    const found = await droppedFiles(drop([cats, file("/c.png"), null]));
    expect(found.map((one) => one.webkitRelativePath)).toEqual([
      "cats/1.png",
      "cats/1.txt",
      "cats/b/2.png",
      "c.png",
    ]);
  });
});
