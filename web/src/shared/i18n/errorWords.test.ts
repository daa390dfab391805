/** Every error the server can send has Korean words, and they are filled. */
import { renderHook } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { ImfineError } from "../errors";
import { useErrorWords } from "./errorWords";
import { setLanguage } from "./i18n";

afterEach(() => setLanguage("en"));

function words(error: ImfineError, language: "ko" | "en") {
  setLanguage(language);
  return renderHook(() => useErrorWords()(error)).result.current;
}

const band = new ImfineError({
  code: "recipe",
  message: "llama has 30 layers, got a band of 2 values for attn",
  remedy: "give 30 (layers 0–29)",
  field: "recipe.bands.attn",
  value: 2,
  params: { reason: "band_length", layers: 30, knob: "attn" },
});

test("by code and reason, with its numbers", () => {
  expect(words(band, "ko").cause).toBe("층별 값이 2개인데 이 모델은 30층이에요.");
  expect(words(band, "en")).toEqual({ cause: band.message, remedy: band.remedy });
});

test("a value that the words do not say is put behind them", () => {
  const refused = new ImfineError({
    code: "model_refused",
    message: "…",
    field: "model",
    value: "'../../etc'",
  });
  expect(words(refused, "ko").cause).toMatch(/않았어요\. \(\.\.\/\.\.\/etc\)$/);
});

test("data of the Hub are not called a model", () => {
  for (const code of ["no_network", "model_gated"]) {
    const of = (field: string) =>
      words(new ImfineError({ code, message: "…", field, value: "ann/sums" }), "ko").cause;
    expect(of("model")).toContain("모델");
    expect(of("data")).toContain("데이터");
    expect(of("data")).not.toContain("모델");
  }
});

test("a code from the future keeps the server's words", () => {
  const unknown = new ImfineError({ code: "quota", message: "the quota is used up", remedy: "wait" });
  expect(words(unknown, "ko")).toEqual({ cause: "the quota is used up", remedy: "wait" });
});

test("our own failures have words in both languages", () => {
  const away = new ImfineError({ code: "unreachable", message: "x" });
  expect(words(away, "ko").cause).toContain("응답하지 않아요");
  expect(words(away, "en").cause).toContain("does not answer");
});
