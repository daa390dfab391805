/** The one shape of every failure the page meets. Knows no words of ours: `code` picks them, `params` fill them. */

export type ErrorBody = {
  code: string;
  message: string;
  remedy: string;
  field: string | null;
  value: unknown;
  params: Record<string, unknown>;
};

export class ImfineError extends Error {
  readonly code: string;
  readonly remedy: string;
  readonly field: string | null;
  readonly value: unknown;
  readonly params: Record<string, unknown>;
  /** HTTP status; 0: no answer came at all. */
  readonly status: number;
  readonly requestId: string | null;

  constructor(body: Partial<ErrorBody> & { message: string }, status = 0, requestId: string | null = null) {
    super(body.message);
    this.name = "ImfineError";
    this.code = body.code ?? "internal";
    this.remedy = body.remedy ?? "";
    this.field = body.field ?? null;
    this.value = body.value ?? null;
    this.params = body.params ?? {};
    this.status = status;
    this.requestId = requestId;
  }
}

/** Whatever was thrown, as an ImfineError. `code` is "unreachable" where no answer came, "bug" for our own. */
export function asImfineError(thrown: unknown): ImfineError {
  if (thrown instanceof ImfineError) return thrown;
  if (thrown instanceof TypeError && /fetch|network|load failed/i.test(thrown.message))
    return new ImfineError({ code: "unreachable", message: "the server cannot be reached" });
  const message = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
  return new ImfineError({ code: "bug", message });
}

/** The answer's body, whatever a server or a proxy before it put there. */
export function errorFromBody(body: unknown, status: number, requestId: string | null): ImfineError {
  if (isObject(body) && isObject(body.error) && typeof body.error.message === "string") {
    const error = body.error as unknown as ErrorBody;
    return new ImfineError(error, status, requestId);
  }
  return new ImfineError(
    { code: status >= 500 ? "unavailable" : "unknown_answer", message: `the server answered ${status}` },
    status,
    requestId,
  );
}

export function isAbort(thrown: unknown): boolean {
  return isObject(thrown) && thrown.name === "AbortError";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
