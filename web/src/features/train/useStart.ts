/** Asking for a run: that it is under way, and what the server did not take of it. Knows no run. */
import { useCallback, useState } from "react";
import { asImfineError, type ImfineError } from "@/shared/errors";

export function useStart() {
  const [starting, setStarting] = useState(false);
  const [refused, setRefused] = useState<ImfineError | null>(null);
  const begin = async (ask: () => Promise<void>): Promise<void> => {
    setRefused(null);
    setStarting(true);
    try {
      await ask();
    } catch (thrown) {
      setRefused(asImfineError(thrown));
    }
    setStarting(false);
  };
  const forget = useCallback(() => setRefused(null), []);
  return { starting, refused, begin, forget };
}
