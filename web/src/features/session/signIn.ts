/** In, out, and who am I. */
import { api, body } from "@/api/client";
import { signedIn, signedOut, useSession } from "@/api/sessionState";
import { asImfineError } from "@/shared/errors";

export async function signIn(token: string): Promise<void> {
  await api.POST("/api/login", { body: { token } });
  signedIn();
}

export async function signOut(): Promise<void> {
  await api.POST("/api/logout");
  signedOut();
}

/** With the address's token if it has one; a token already used is no harm where there is a session. */
export async function openSession(urlToken: string | null): Promise<void> {
  try {
    if (urlToken) {
      const refused = await signIn(urlToken).then(
        () => false,
        (error) => asImfineError(error).status === 401,
      );
      if (!refused && useSession.getState().state === "in") return;
    }
    await body(api.GET("/api/session"));
    signedIn();
  } catch (thrown) {
    if (asImfineError(thrown).status !== 401) useSession.setState({ state: "unreachable" });
  }
}
