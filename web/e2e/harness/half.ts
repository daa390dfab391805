/** Every other test file, in one process, so that they share what is slow to start. Two such processes side by side
 *  keep two cores busy, which one alone does not: it waits for pages and workers. */
import { readdirSync } from "node:fs";

const TESTS = new URL("../tests/", import.meta.url);

export async function half(which: 0 | 1): Promise<void> {
  for (const [at, file] of readdirSync(TESTS).sort().entries())
    if (at % 2 === which) await import(new URL(file, TESTS).href);
}
