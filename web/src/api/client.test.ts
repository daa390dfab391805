/** Every way a request can fail arrives as one kind of error. */
import { expect, test } from "vitest";
import { ImfineError } from "@/shared/errors";
import { answer, fakeServer, refusal } from "@/test/fakeServer";
import { api, body } from "./client";
import { getRun } from "./runs";
import { signedIn, useSession } from "./sessionState";

test("an answer's body", async () => {
  fakeServer({ "GET /api/models": () => ({ items: [] }) });
  expect(await body(api.GET("/api/models"))).toEqual({ items: [] });
});

test("a refusal keeps code, field, value, remedy and the request's id", async () => {
  const error = {
    code: "recipe",
    message: "too long",
    remedy: "give 12",
    field: "recipe.bands.attn",
    value: 14,
    params: { n: 12 },
  };
  fakeServer({ "GET /api/runs/:id": () => answer(422, { error }) });
  await expect(getRun("a")).rejects.toMatchObject({
    ...error,
    status: 422,
    requestId: "req-1",
    name: "ImfineError",
  });
});

test("401 is told to the session", async () => {
  signedIn();
  fakeServer({ "GET /api/runs/:id": () => refusal(401, "unauthorized", "no token") });
  await expect(getRun("a")).rejects.toBeInstanceOf(ImfineError);
  expect(useSession.getState().state).toBe("out");
});

test("a proxy's page instead of an answer", async () => {
  fakeServer({ "GET /api/runs/:id": () => new Response("<h1>Bad gateway</h1>", { status: 502 }) });
  await expect(getRun("a")).rejects.toMatchObject({ code: "unavailable", status: 502 });
});

test("no answer at all", async () => {
  fakeServer({
    "GET /api/runs/:id": () => {
      throw new TypeError("fetch failed");
    },
  });
  await expect(getRun("a")).rejects.toMatchObject({ code: "unreachable", status: 0 });
});

test("a request that was given up stays an AbortError", async () => {
  fakeServer({
    "GET /api/runs/:id": () => {
      throw new DOMException("gone", "AbortError");
    },
  });
  await expect(getRun("a")).rejects.toMatchObject({ name: "AbortError" });
});

test("a model's id may have slashes", async () => {
  const server = fakeServer({
    "GET /api/models/:owner/:name": () => ({ card: {}, layout: null, tensors: null }),
  });
  await body(api.GET("/api/models/{id}", { params: { path: { id: "Qwen/Qwen2.5" } } }));
  expect(server.asked[0]?.path).toBe("/api/models/Qwen%2FQwen2.5");
});
