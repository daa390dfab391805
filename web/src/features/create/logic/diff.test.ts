import { describe, expect, it } from "vitest";
import { changedSpans, firstChange, firstDifference, runsOf } from "./diff";

const words = (base: string, tuned: string) =>
  changedSpans(base, tuned).map(({ from, to }) => tuned.slice(from, to));

describe("the word diff", () => {
  it("marks only the words that are not the original's, neighbours joined", () => {
    expect(words("That's a great goal, but no.", "That's a surreal idea, but no.")).toEqual(["surreal idea"]);
    expect(words("a b c", "a b c")).toEqual([]);
    expect(words("", "new words")).toEqual(["new words"]);
  });

  it("reads Korean words", () => {
    expect(words("나는 하늘을 날고 싶다", "나는 바다를 날고 싶다")).toEqual(["바다를"]);
  });

  it("marks all after the first different word of very long and very different texts", () => {
    const long = (word: string) =>
      ["Once", ...Array.from({ length: 4000 }, (_, i) => `${word}${i}`)].join(" ");
    expect(changedSpans(long("a"), long("b"))).toEqual([{ from: 5, to: long("b").length }]);
  });
});

describe("the first token that differs", () => {
  it("is null while one is the beginning of the other", () => {
    expect(firstDifference([1, 2, 3], [1, 2])).toBeNull();
    expect(firstDifference([1, 2, 3], [1, 9])).toBe(1);
  });

  it("is where one goes on alone, once both have ended", () => {
    expect(firstChange([1, 2, 3], [1, 2])).toBe(2);
    expect(firstChange([1, 2], [1, 2])).toBeNull();
  });
});

describe("runs of a lane's text", () => {
  it("cuts tokens where a changed word begins or ends, and keeps the text whole", () => {
    const texts = ["That's", " a", " surreal", " idea."];
    const runs = runsOf(texts, changedSpans("That's a goal.", texts.join("")));
    expect(runs.map((r) => [r.changed, r.pieces.map((p) => p.text).join("")])).toEqual([
      [false, "That's a "],
      [true, "surreal idea"],
      [false, "."],
    ]);
    expect(runs[1]?.pieces.map((p) => p.token)).toEqual([2, 3]);
  });

  it("passes over tokens that add no text", () => {
    expect(runsOf(["a", "", "b"], [])).toEqual([
      {
        changed: false,
        pieces: [
          { token: 0, text: "a" },
          { token: 2, text: "b" },
        ],
      },
    ]);
  });
});
