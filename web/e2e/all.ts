/** Every test in one process, so that they share what is slow to start. */
import { readdirSync } from "node:fs";

for (const file of readdirSync(new URL("tests", import.meta.url)).sort()) await import(`./tests/${file}`);
