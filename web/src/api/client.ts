/** Requests to our own server, typed by its OpenAPI. Every answer that is not a success is thrown as an ImfineError.
 * Knows no screen; who is signed out is told to `session`. */
import createClient from "openapi-fetch";
import { asImfineError, errorFromBody, isAbort } from "@/shared/errors";
import type { paths } from "./schema";
import { signedOut } from "./sessionState";

export const api = createClient<paths>({
  baseUrl: window.location.origin,
  credentials: "same-origin",
  fetch: (request) => globalThis.fetch(request), // looked up at every call
});

api.use({
  async onResponse({ response, schemaPath }) {
    if (response.ok) return;
    if (response.status === 401 && schemaPath !== "/api/login") signedOut();
    throw errorFromBody(
      await response.json().catch(() => null),
      response.status,
      response.headers.get("x-request-id"),
    );
  },
  onError({ error }) {
    return isAbort(error) ? undefined : asImfineError(error); // undefined: thrown as it is
  },
});

/** `data` of an answer that has one: `await body(api.GET("/api/models"))`. */
export async function body<D>(answer: Promise<{ data?: D }>): Promise<NonNullable<D>> {
  const { data } = await answer;
  if (data === undefined || data === null) throw new TypeError("an answer without a body");
  return data;
}
