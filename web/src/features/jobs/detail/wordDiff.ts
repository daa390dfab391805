/** What was added and removed between two texts, word by word. A lone space between two changes belongs to them: one long
 * mark reads better than ten short ones. */
import { diffWordsWithSpace } from "diff";

export type Part = { kind: "same" | "added" | "removed"; text: string };

const PATIENCE_MS = 200; // texts too far apart are shown without marks

export function wordDiff(before: string, after: string): Part[] {
  const changes = diffWordsWithSpace(before, after, { timeout: PATIENCE_MS });
  if (!changes) return [{ kind: "same", text: after }];
  const parts: Part[] = changes.map(({ added, removed, value }) => ({
    kind: added ? "added" : removed ? "removed" : "same",
    text: value,
  }));
  return join(parts);
}

function join(parts: readonly Part[]): Part[] {
  const joined: Part[] = [];
  let removed = "";
  let added = "";
  const flush = () => {
    if (removed) joined.push({ kind: "removed", text: removed });
    if (added) joined.push({ kind: "added", text: added });
    removed = "";
    added = "";
  };
  parts.forEach((part, index) => {
    const between = part.kind === "same" && /^\s+$/u.test(part.text) && index > 0 && index < parts.length - 1;
    if (part.kind === "removed") removed += part.text;
    else if (part.kind === "added") added += part.text;
    else if (between && (removed || added)) {
      removed += part.text;
      added += part.text;
    } else {
      flush();
      joined.push(part);
    }
  });
  flush();
  return joined;
}
