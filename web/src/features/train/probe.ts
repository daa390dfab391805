/** How long it takes, measured: some steps that are thrown away. The last measurement is kept, with what it was of. Knows
 *  the API, no component. */
import { create } from "zustand";
import { persist } from "zustand/middleware";
import type { RunEvent } from "@/api/events";
import { cancelRun } from "@/api/runs";
import { subscribe } from "@/api/stream/pageStream";
import { type ProbeAsked, type ProbeResult, startProbe } from "@/api/train";
import { ImfineError } from "@/shared/errors";

interface Probe {
  key: string | null; // what is, or was, measured
  run: string | null; // while it is measured
  phase: { phase: string; position: number | null } | null;
  result: ProbeResult | null;
  error: unknown;
}

const NOTHING: Probe = { key: null, run: null, phase: null, result: null, error: null };

export const useProbe = create<Probe>()(
  persist(() => NOTHING, {
    name: "imfine.train.probe",
    version: 2,
    partialize: ({ key, result }) => (result ? { key, result } : {}),
  }),
);

/** What is asked the same takes equally long. */
export const probeKey = (asked: ProbeAsked): string => JSON.stringify(asked);

let unfollow: (() => void) | null = null;

export async function measure(asked: ProbeAsked): Promise<void> {
  const before = useProbe.getState().run;
  const key = probeKey(asked);
  unfollow?.();
  unfollow = null;
  useProbe.setState({ ...NOTHING, key, run: "", phase: { phase: "queued", position: null } });
  try {
    const { id } = await startProbe({ ...asked, replaces: before || null });
    if (useProbe.getState().key !== key) return void cancelRun(id).catch(() => undefined);
    useProbe.setState({ run: id });
    unfollow = subscribe(id, take);
  } catch (error) {
    if (useProbe.getState().key === key) useProbe.setState({ run: null, phase: null, error });
  }
}

export function stopMeasuring(): void {
  const { run } = useProbe.getState();
  unfollow?.();
  unfollow = null;
  useProbe.setState(NOTHING);
  if (run) void cancelRun(run).catch(() => undefined); // it ends by itself in a moment
}

function take(event: RunEvent): void {
  if (event.type === "phase") useProbe.setState({ phase: { phase: event.phase, position: null } });
  if (event.type === "probe_result") useProbe.setState({ result: event });
  if (event.type !== "state") return;
  if (event.state === "queued") useProbe.setState({ phase: { phase: "queued", position: event.position } });
  if (event.state === "succeeded") useProbe.setState({ run: null, phase: null });
  if (event.state === "failed" || event.state === "cancelled")
    useProbe.setState({
      run: null,
      phase: null,
      error: event.error ? new ImfineError(event.error, 422) : null,
    });
}
