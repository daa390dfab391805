import { describe, expect, it } from "vitest";
import type { RunEvent } from "@/api/events";
import { accepted, asked, changeOf, EMPTY, received, refused, reopened, textOf } from "./lanes";

let id = 0;
const said = (run: string, event: Record<string, unknown>, attempt = 1): RunEvent =>
  ({ id: ++id, run, attempt, ...event }) as RunEvent;
const tokens = (run: string, lane: number, start: number, texts: string[], attempt = 1): RunEvent =>
  said(
    run,
    {
      type: "tokens",
      lane,
      start,
      ids: texts.map((t) => t.length * 1000 + t.charCodeAt(0)),
      texts,
      top: null,
    },
    attempt,
  );
const end = (run: string, lane: number): RunEvent =>
  said(run, {
    type: "lane_end",
    lane,
    finish_reason: "stop",
    tokens: 2,
    tokens_per_s: 40,
    first_token_ms: 30,
  });

const started = (run: string, baseKey = "p", recipeKey = "r", state = EMPTY) => {
  const next = asked(state, baseKey, recipeKey);
  return accepted(next, next.move, run);
};
const play = (state: typeof EMPTY, ...events: RunEvent[]) => events.reduce(received, state);

describe("latest wins", () => {
  it("drops what belongs to an older move", () => {
    let state = play(started("one"), tokens("one", 1, 0, ["old"]));
    state = started("two", "p", "r2", state);
    state = play(
      state,
      tokens("one", 1, 1, [" late"]),
      tokens("two", 1, 0, ["new"]),
      tokens("one", 1, 2, [" later"]),
    );
    expect(textOf(state.tuned)).toBe("new");
  });

  it("does not take an answer to an older POST for its own", () => {
    const first = asked(EMPTY, "p", "r1");
    const second = asked(first, "p", "r2");
    expect(accepted(second, first.move, "one").run).toBeNull();
    expect(
      refused(second, first.move, {
        code: "x",
        message: "",
        remedy: "",
        field: null,
        value: null,
        params: {},
      }).error,
    ).toBeNull();
  });

  it("drops an older attempt", () => {
    const state = play(
      started("one"),
      said("one", { type: "restart", from: 0 }, 2),
      tokens("one", 1, 0, ["old"], 1),
    );
    expect(textOf(state.tuned)).toBe("");
    expect(state.attempt).toBe(2);
  });
});

describe("lanes", () => {
  it("keep the tuned text, stale, until the first token of the new move", () => {
    let state = play(started("one"), tokens("one", 1, 0, ["old", " text"]));
    state = started("two", "p", "r2", state);
    expect(textOf(state.tuned)).toBe("old text");
    expect(state.tuned.stale).toBe(true);
    state = received(state, tokens("two", 1, 0, ["new"]));
    expect(textOf(state.tuned)).toBe("new");
    expect(state.tuned.stale).toBe(false);
  });

  it("keep the base lane while only the recipe moves, and do not repeat what is said again", () => {
    let state = play(started("one"), tokens("one", 0, 0, ["a", "b"]), end("one", 0));
    const base = state.base;
    state = started("two", "p", "r2", state);
    expect(state.base.stale).toBe(false);
    state = received(state, tokens("two", 0, 0, ["a"]));
    expect(state.base).toBe(base);
    state = started("three", "other prompt", "r2", state);
    expect(state.base.stale).toBe(true);
  });

  it("are cleared by a restart", () => {
    let state = play(started("one"), tokens("one", 0, 0, ["a"]), tokens("one", 1, 0, ["a", "b"]));
    state = play(state, said("one", { type: "restart", from: 0 }, 2));
    expect(state.base.ids).toHaveLength(0);
    expect(state.tuned.ids).toHaveLength(0);
    state = received(state, tokens("one", 1, 0, ["again"], 2));
    expect(textOf(state.tuned)).toBe("again");
  });

  it("write tokens at their places: a repeat changes nothing, a gap waits", () => {
    let state = play(started("one"), tokens("one", 1, 0, ["a", "b"]));
    state = play(state, tokens("one", 1, 1, ["b"]), tokens("one", 1, 5, ["z"]));
    expect(textOf(state.tuned)).toBe("ab");
  });

  it("find their places in a kept run that asked for others", () => {
    const state = reopened(EMPTY, "kept", { baseKey: "p", recipeKey: "r", lanes: ["warm", "base"] });
    const shown = play(state, tokens("kept", 1, 0, ["base"]), tokens("kept", 0, 0, ["tuned"]));
    expect(textOf(shown.base)).toBe("base");
    expect(textOf(shown.tuned)).toBe("tuned");
  });
});

describe("what a move did", () => {
  it("is told as soon as it shows", () => {
    let state = play(started("one"), tokens("one", 0, 0, ["a", "b"]), tokens("one", 1, 0, ["a"]));
    expect(changeOf(state)).toEqual({ kind: "same-so-far" });
    state = received(state, tokens("one", 1, 1, ["c"]));
    expect(changeOf(state)).toEqual({ kind: "at", token: 1 });
  });

  it("is nothing only when both have ended alike", () => {
    const state = play(
      started("one"),
      tokens("one", 0, 0, ["a", "b"]),
      tokens("one", 1, 0, ["a", "b"]),
      end("one", 0),
      end("one", 1),
    );
    expect(changeOf(state)).toEqual({ kind: "none" });
  });

  it("is not told of a stale answer", () => {
    let state = play(started("one"), tokens("one", 0, 0, ["a"]), tokens("one", 1, 0, ["b"]));
    state = started("two", "p", "r2", state);
    expect(changeOf(state)).toBeNull();
  });
});

describe("failure", () => {
  it("is kept where it happened, and gone with the next move", () => {
    const error = { code: "out_of_memory", message: "too big", remedy: "choose a smaller model" };
    const state = play(started("one"), said("one", { type: "state", state: "failed", error }));
    expect(state.error?.code).toBe("out_of_memory");
    expect(asked(state, "p", "r").error).toBeNull();
  });
});
