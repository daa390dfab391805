/** Whether the browser has a session: asked once, then told by every 401. Knows no screen. */
import { create } from "zustand";

export type SessionState = "asking" | "in" | "out" | "unreachable";

export const useSession = create<{ state: SessionState }>(() => ({ state: "asking" }));

export function signedOut(): void {
  useSession.setState({ state: "out" });
}

export function signedIn(): void {
  useSession.setState({ state: "in" });
}
