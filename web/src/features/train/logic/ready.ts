/** Whether training can begin, and what stands in its way. Pure: knows no server and no words. */

export type Kind = "text" | "image"; // of what a model makes, and of what it learns from
export type Makes = Kind | "knob"; // what a run does
export type Obstacle =
  | "no_data"
  | "pictures"
  | "texts"
  | "unreadable"
  | "no_blocks"
  | "no_memory"
  | "bad_name";

type Given = {
  kind: Kind; // the model's
  dataset: { kind: Kind } | null;
  trained: number | null; // tokens that are learned from, of those looked at; null: not known
  learns: boolean; // any block at all
  fits: boolean | null;
  nameIsGood: boolean;
};

/** The first obstacle is the one to clear first; none: it can begin. */
export function obstacles({ kind, dataset, trained, learns, fits, nameIsGood }: Given): Obstacle[] {
  const found: Obstacle[] = [];
  if (dataset === null) found.push("no_data");
  else if (dataset.kind !== kind) found.push(dataset.kind === "image" ? "pictures" : "texts");
  else if (trained === 0) found.push("unreadable");
  if (!learns) found.push("no_blocks");
  if (fits === false) found.push("no_memory");
  if (!nameIsGood) found.push("bad_name");
  return found;
}
