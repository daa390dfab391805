import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Live, THROTTLE_MS } from "./live";

function stage() {
  const posts: {
    request: string;
    replaces: string | null;
    answer: (id: string) => void;
    fail: (thrown: unknown) => void;
  }[] = [];
  const told: string[] = [];
  let moves = 0;
  const live = new Live<string>({
    post: (request, replaces) =>
      new Promise((resolve, reject) => {
        posts.push({ request, replaces, answer: (id) => resolve({ id }), fail: reject });
      }),
    cancel: async (run) => {
      told.push(`cancel ${run}`);
    },
    asked: () => ++moves,
    accepted: (move, run, request) => told.push(`accepted ${move} ${run} ${request}`),
    refused: (move, thrown) => told.push(`refused ${move} ${String(thrown)}`),
  });
  return { live, posts, told };
}

const settle = () => vi.advanceTimersByTimeAsync(0);

describe("moves become runs", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("the first at once, the last always, the ones between only as fast as the throttle", async () => {
    const { live, posts } = stage();
    live.move("1");
    expect(posts.map((p) => p.request)).toEqual(["1"]);
    posts[0]?.answer("a");
    await settle();
    live.move("2");
    live.move("3");
    expect(posts).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(THROTTLE_MS);
    expect(posts.map((p) => p.request)).toEqual(["1", "3"]);
  });

  it("replaces the run before, also one whose answer came after the next move", async () => {
    const { live, posts, told } = stage();
    live.move("1");
    live.move("2");
    posts[0]?.answer("a");
    await vi.advanceTimersByTimeAsync(THROTTLE_MS);
    expect(posts.map((p) => p.replaces)).toEqual([null, "a"]);
    expect(told).toEqual(["accepted 1 a 1"]);
    posts[1]?.answer("b");
    await settle();
    live.stop();
    expect(told.at(-1)).toBe("cancel b");
  });

  it("does not cancel what has ended", async () => {
    const { live, posts, told } = stage();
    live.move("1");
    posts[0]?.answer("a");
    await settle();
    live.ended("a");
    live.stop();
    expect(told).toEqual(["accepted 1 a 1"]);
  });

  it("ends a run that was stopped before the server had answered", async () => {
    const { live, posts, told } = stage();
    live.move("1");
    live.stop();
    posts[0]?.answer("a");
    await settle();
    expect(told).toEqual(["cancel a"]);
  });

  it("ends the run before when the next move is refused", async () => {
    const { live, posts, told } = stage();
    live.move("1");
    posts[0]?.answer("a");
    await settle();
    live.move("2");
    await vi.advanceTimersByTimeAsync(THROTTLE_MS);
    posts[1]?.fail("422");
    await settle();
    expect(told).toEqual(["accepted 1 a 1", "cancel a", "refused 2 422"]);
  });

  it("goes on after a refusal", async () => {
    const { live, posts, told } = stage();
    live.move("1");
    posts[0]?.fail("422");
    await vi.advanceTimersByTimeAsync(THROTTLE_MS);
    live.move("2");
    expect(told).toEqual(["refused 1 422"]);
    expect(posts).toHaveLength(2);
  });
});
