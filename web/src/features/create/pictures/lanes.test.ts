import { describe, expect, it } from "vitest";
import type { RunEvent } from "@/api/events";
import { accepted, asked, EMPTY, type LanesState, received } from "../logic/lanes";
import { pictureChange, pictureCount } from "./lanes";

let id = 0;
const event = (run: string, data: Record<string, unknown>, attempt = 1): RunEvent =>
  ({ run, attempt, id: ++id, ...data }) as unknown as RunEvent;
const preview = (step: number, lane = 1, index = 0) => ({
  type: "preview",
  lane,
  index,
  step,
  steps: 20,
  mime: "image/webp",
  data: `p${step}`,
});
const picture = (sha256: string, lane = 1, index = 0) => ({
  type: "picture",
  lane,
  index,
  seed: 7 + index,
  width: 64,
  height: 64,
  sha256,
  size: 1,
  url: `/api/artifacts/${sha256}.png`,
});
const measures = (lane: number, ssim: number | null) => ({
  type: "picture_measures",
  lane,
  index: 0,
  difference: ssim === null ? null : 0.1,
  ssim,
  colourfulness: 30,
  sharpness: 2,
});

const move = (state: LanesState, run: string, base = "b"): LanesState => {
  const next = asked(state, base, run);
  return accepted(next, next.move, run);
};
const hear = (state: LanesState, run: string, ...said: Record<string, unknown>[]): LanesState =>
  said.reduce((now, data) => received(now, event(run, data)), state);

describe("pictures of the lanes", () => {
  it("form step by step and are finished once", () => {
    let state = hear(move(EMPTY, "r1"), "r1", preview(1), preview(5));
    expect(state.pictures.tuned.items[0]).toMatchObject({
      preview: "data:image/webp;base64,p5",
      step: 5,
      url: null,
    });
    state = hear(state, "r1", picture("abc"), preview(6));
    expect(state.pictures.tuned.items[0]).toMatchObject({ preview: null, url: "/api/artifacts/abc.png" });
  });

  it("never go back to an earlier step", () => {
    const state = hear(move(EMPTY, "r1"), "r1", preview(5), preview(3));
    expect(state.pictures.tuned.items[0]?.step).toBe(5);
  });

  it("stay, as stale, until the latest move shows something; what is older is not heard", () => {
    const drawn = hear(move(EMPTY, "r1"), "r1", picture("base", 0), picture("old"));
    const state = move(drawn, "r2");
    expect(state.pictures.base.stale).toBe(false); // the same original
    expect(state.pictures.tuned).toMatchObject({ stale: true, items: [{ sha256: "old" }] });
    expect(hear(state, "r1", preview(9))).toBe(state);
    const forming = hear(state, "r2", preview(1));
    expect(forming.pictures.tuned).toMatchObject({ stale: false, items: [{ step: 1, url: null }] });
  });

  it("of another prompt make the original stale, too", () => {
    const state = move(hear(move(EMPTY, "r1"), "r1", picture("base", 0)), "r2", "other");
    expect(state.pictures.base.stale).toBe(true);
  });

  it("begin anew when the run does, and a former attempt is not heard", () => {
    let state = hear(move(EMPTY, "r1"), "r1", picture("abc"));
    state = received(state, event("r1", { type: "restart", from: 0 }, 2));
    expect(state.pictures.tuned.items).toEqual([]);
    expect(received(state, event("r1", preview(9), 1))).toBe(state);
  });

  it("are several, in their order", () => {
    const state = hear(move(EMPTY, "r1"), "r1", picture("b", 1, 1), picture("a", 1, 0));
    expect(state.pictures.tuned.items.map(({ sha256 }) => sha256)).toEqual(["a", "b"]);
    expect(pictureCount(state.pictures)).toBe(2);
  });

  it("say what the move did", () => {
    const start = hear(move(EMPTY, "r1"), "r1", picture("base", 0));
    expect(pictureChange(start.pictures, 0)).toBeNull();
    expect(pictureChange(hear(start, "r1", picture("base")).pictures, 0)).toEqual({ kind: "same" });
    const differs = hear(start, "r1", picture("other"), measures(1, 0.83));
    expect(pictureChange(differs.pictures, 0)).toEqual({ kind: "differs", ssim: 0.83, difference: 0.1 });
  });
});
