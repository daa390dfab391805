/** All that decides, beside the request, which tokens come: as the result tells it. Empty: it does not say. */
import type { Run } from "@/api/types";

export type Fact = "dtype" | "computed" | "threads" | "imfine" | "torch" | "transformers" | "weights";

export function madeWith({ result }: Run): { fact: Fact; value: string }[] {
  const { threads, imfine, torch, transformers } = result?.versions ?? {};
  const { weights } = (result?.checksum ?? {}) as { weights?: unknown };
  return [
    { fact: "dtype", value: result?.dtype ?? "" },
    { fact: "computed", value: result?.device ?? "" },
    { fact: "threads", value: threads ?? "" },
    { fact: "imfine", value: imfine ?? "" },
    { fact: "torch", value: torch ?? "" },
    { fact: "transformers", value: transformers ?? "" },
    { fact: "weights", value: typeof weights === "string" ? weights.slice(0, 12) : "" },
  ];
}
