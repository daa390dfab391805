/** Whether training can begin, and what stands in its way. Pure: knows no server and no words. */

export type Obstacle = "no_data" | "pictures" | "unreadable" | "no_memory" | "bad_name";

type Given = {
  dataset: { kind: "text" | "image" } | null;
  trained: number | null; // tokens that are learned from, of those looked at; null: not known
  fits: boolean | null;
  nameIsGood: boolean;
};

/** The first obstacle is the one to clear first; none: it can begin. */
export function obstacles({ dataset, trained, fits, nameIsGood }: Given): Obstacle[] {
  const found: Obstacle[] = [];
  if (dataset === null) found.push("no_data");
  else if (dataset.kind === "image") found.push("pictures");
  else if (trained === 0) found.push("unreadable");
  if (fits === false) found.push("no_memory");
  if (!nameIsGood) found.push("bad_name");
  return found;
}
