import { describe, expect, it } from "vitest";
import { collapseZones, type Variant } from "./variants";

const variant = (recipe: Variant["recipe"], repetition: number, tokens = 64): Variant => ({
  run: "r",
  model: "m",
  baseKey: "b",
  recipeKey: JSON.stringify(recipe),
  recipe,
  beginning: "",
  repetition,
  lossRise: null,
  firstChange: 0,
  tokens,
});
const scale = { min: 0.1, max: 2 };

describe("measured collapse zones", () => {
  it("are not there where nothing was measured", () => {
    expect(collapseZones([variant({ attn: 1.2 }, 0.02)], "m", "attn", scale)).toEqual([]);
  });

  it("begin at the mildest collapsed value that no sound one lies beyond", () => {
    const seen = [
      variant({ attn: 1.5 }, 0.9),
      variant({ attn: 1.6 }, 0.1),
      variant({ attn: 1.8 }, 0.8),
      variant({ attn: 0.4 }, 0.7),
    ];
    expect(collapseZones(seen, "m", "attn", scale)).toEqual([
      { min: 0.1, max: 0.4, at: 0.4, collapse: { why: "repetition", value: 0.7 } },
      { min: 1.8, max: 2, at: 1.8, collapse: { why: "repetition", value: 0.8 } },
    ]);
  });

  it("are also set where the model no longer reads the reference text, however short the answer", () => {
    const seen = [{ ...variant({ attn: 1.9 }, 0, 6), lossRise: 4.7 }];
    expect(collapseZones(seen, "m", "attn", scale)).toEqual([
      { min: 1.9, max: 2, at: 1.9, collapse: { why: "loss", value: 4.7 } },
    ]);
  });

  it("take only what this knob did alone, in this model, at some length", () => {
    const seen = [
      variant({ attn: 1.5, mlp: 1.5 }, 0.9),
      variant({ attn: 1.5, points: { o: 2 } }, 0.9),
      variant({ attn: 1.5 }, 0.9, 4),
      { ...variant({ attn: 1.5 }, 0.9), model: "other" },
    ];
    expect(collapseZones(seen, "m", "attn", scale)).toEqual([]);
  });
});
