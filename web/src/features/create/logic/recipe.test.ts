import { describe, expect, it } from "vitest";
import {
  compile,
  fitRecipe,
  fromJson,
  keyOf,
  NEUTRAL,
  pointExists,
  short,
  toJson,
  withBand,
  withKnob,
  withPoint,
} from "./recipe";

const layout = {
  layers: 4,
  heads: 8,
  kv_heads: 2,
  eps: 1e-5,
  points: ["q", "k", "v", "o"],
  qk_norm: false,
  eps_knob_max: 5,
};

describe("recipe", () => {
  it("leaves neutral parts out and sorts its keys", () => {
    const recipe = fromJson({
      mlp: 0.95,
      attn: 1,
      bands: { mlp: [1, 1], attn: [1, 0.5] },
      points: { o: 0.8, "1.q": 1 },
    });
    expect(JSON.stringify(toJson(recipe))).toBe('{"bands":{"attn":[1,0.5]},"mlp":0.95,"points":{"o":0.8}}');
    expect(keyOf(NEUTRAL)).toBe("{}");
  });

  it("comes back to neutral, whatever the way", () => {
    let recipe = withKnob(NEUTRAL, "attn", 0.1 + 0.2);
    expect(recipe.attn).toBe(0.3);
    recipe = withPoint(withBand(recipe, "mlp", [1, 2, 1, 1]), "4.q", 1.2);
    recipe = withPoint(withBand(withKnob(recipe, "attn", 1), "mlp", [1, 1, 1, 1]), "4.q", 1);
    expect(keyOf(recipe)).toBe("{}");
  });

  it("works solo and mute into the bands; mute wins", () => {
    const recipe = withBand(NEUTRAL, "attn", [1.1, 1.2, 1.3, 1.4]);
    expect(compile(recipe, [], [1], 4).bands.attn).toEqual([1, 1.2, 1, 1]);
    const muted = compile(recipe, [1], [1], 4);
    expect(muted.bands.attn).toEqual([1, 0, 1, 1]);
    expect(muted.bands.mlp).toEqual([1, 0, 1, 1]);
    expect(muted.bands.eps).toBeUndefined();
  });

  it("leaves behind what another model does not have, and names it", () => {
    const { recipe, dropped } = fitRecipe(
      fromJson({ attn: 1.2, bands: { attn: [2] }, points: { gate: 0.5, o: 0.8 } }),
      layout,
    );
    expect(dropped).toEqual(["bands.attn", "gate"]);
    expect(toJson(recipe)).toEqual({ attn: 1.2, points: { o: 0.8 } });
  });

  it.each([
    ["o", true],
    ["3.q", true],
    ["4.q", false],
    ["gate", false],
    ["1.o.h7", true],
    ["1.k.h2", false],
    ["o.h1", false],
  ])("knows whether the point %s exists", (key, exists) => {
    expect(pointExists(key, layout)).toBe(exists);
  });

  it("says itself in short", () => {
    const recipe = {
      attn: 1.2,
      bands: { attn: [1, 2], mlp: [1, 0] },
      points: { o: 1.1 },
      deltas: { mine: 0.5 },
    };
    expect(short(recipe)).toEqual({
      knobs: [{ name: "attn", value: 1.2 }],
      deltas: [{ id: "mine", value: 0.5 }],
      bands: 1,
      points: 1,
    });
  });
});
