import { describe, expect, it } from "vitest";
import { parseTyped } from "@/shared/typed";
import { epsKnobMax, epsOf, formatEps, fractionOf, scaleOf, valueAt, valueByKey } from "./knob";

const classic = { min: 0.1, max: 2 };

describe("the EPS scale", () => {
  it("goes on to eps 1e-1, whatever the model's own eps", () => {
    expect(epsKnobMax(1e-5)).toBe(5);
    expect(epsOf(1e-5, 5)).toBeCloseTo(0.1, 10);
    expect(epsOf(1e-6, epsKnobMax(1e-6))).toBeCloseTo(0.1, 10);
    expect(scaleOf("eps", 1, 5)).toEqual({ min: 0.1, max: 5 });
  });

  it("is logarithmic in eps: equal ways on the track are equal factors", () => {
    const scale = scaleOf("eps", 1, 5);
    const at = (f: number) => epsOf(1e-5, scale.min + f * (scale.max - scale.min));
    expect(at(0.5) / at(0.25)).toBeCloseTo(at(0.75) / at(0.5), 8);
  });

  it("writes eps as engineers do", () => {
    expect(formatEps(1e-5)).toBe("1.0e-5");
    expect(formatEps(0.1)).toBe("1.0e-1");
  });
});

describe("a slider", () => {
  it("moves in steps of 0.05 and has a magnet at neutral", () => {
    expect(valueAt(fractionOf(1.16, classic), classic, 600, false)).toBe(1.15);
    expect(valueAt(fractionOf(1.033, classic), classic, 600, false)).toBe(1);
    expect(valueAt(fractionOf(1.05, classic), classic, 600, false)).toBe(1.05);
    expect(valueAt(fractionOf(0.95, classic), classic, 600, false)).toBe(0.95);
  });

  it("moves in steps of 0.01 with shift, without the magnet", () => {
    expect(valueAt(fractionOf(1.02, classic), classic, 600, true)).toBe(1.02);
  });

  it("keeps its ends", () => {
    expect(valueAt(-1, classic, 600, false)).toBe(0.1);
    expect(valueAt(2, classic, 600, false)).toBe(2);
  });

  it.each([
    ["ArrowRight", 1.05],
    ["ArrowDown", 0.95],
    ["PageUp", 1.25],
    ["PageDown", 0.75],
    ["Home", 0.1],
    ["End", 2],
  ])("obeys %s", (key, value) => {
    expect(valueByKey(key, 1, classic, false)).toBe(value);
  });

  it("leaves other keys alone", () => {
    expect(valueByKey("a", 1, classic, false)).toBeNull();
  });

  it("widens for a typed value beyond the classic range", () => {
    expect(scaleOf("attn", 3, 5)).toEqual({ min: 0.1, max: 4 });
    expect(scaleOf("attn", 0, 5)).toEqual({ min: 0, max: 2 });
    expect(parseTyped("1,25", { min: 0, max: 4 })).toBe(1.25);
    expect(parseTyped("5", { min: 0, max: 4 })).toBeNull();
    expect(parseTyped("", { min: 0, max: 4 })).toBeNull();
    expect(parseTyped("NaN", { min: 0, max: 4 })).toBeNull();
  });
});
