/** The first half of the tests: see harness/half.ts. */
import { half } from "./harness/half.ts";

await half(0);
