import { describe, expect, it } from "vitest";
import { curvePath, gainAt, grouped, groupsOf, paint, strokeBetween, yOf } from "./curve";

const lane = { top: 10, height: 100 };

describe("the equalizer's curve", () => {
  it("groups layers beyond 32", () => {
    expect(groupsOf(30)).toHaveLength(30);
    expect(groupsOf(80)).toHaveLength(27);
    expect(groupsOf(80).at(-1)).toEqual({ from: 78, to: 79 });
    expect(grouped([1, 2, 3], groupsOf(3, 2))).toEqual([1.5, 3]);
  });

  it("goes from a gain to a height and back, with a detent at neutral", () => {
    expect(yOf(1, lane)).toBe(60);
    expect(gainAt(yOf(1.5, lane), lane, false)).toBe(1.5);
    expect(gainAt(yOf(1.04, lane), lane, false)).toBe(1);
    expect(gainAt(yOf(1.04, lane), lane, true)).toBe(1.04);
    expect(gainAt(-50, lane, false)).toBe(2);
  });

  it("leaves no layer out of a quick drag", () => {
    expect(strokeBetween({ index: 2, value: 1 }, { index: 5, value: 1.3 })).toEqual([
      { index: 3, value: 1.1 },
      { index: 4, value: 1.2 },
      { index: 5, value: 1.3 },
    ]);
  });

  it("takes neighbours along when they are linked, from where they stood", () => {
    const start = [1, 1, 1, 1, 1, 1, 1, 1, 1];
    const alone = paint(start, new Map([[4, 1.5]]), false);
    expect(alone).toEqual([1, 1, 1, 1, 1.5, 1, 1, 1, 1]);
    const linked = paint(start, new Map([[4, 1.5]]), true);
    expect(linked[4]).toBe(1.5);
    expect(linked[3]).toBe(linked[5]);
    expect(linked[3]).toBeGreaterThan(linked[2] ?? 9);
    expect(paint(start, new Map([[4, 1.5]]), true)).toEqual(linked);
  });

  it("draws a line that does not overshoot", () => {
    expect(curvePath([])).toBe("");
    expect(
      curvePath([
        { x: 0, y: 5 },
        { x: 10, y: 5 },
      ]),
    ).toBe("M0 5C3.3 5 6.7 5 10 5");
  });
});
