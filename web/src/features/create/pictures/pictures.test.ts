/** The arithmetic of comparing: difference, zoom, settings, the named bands. */
import { beforeEach, describe, expect, it } from "vitest";
import { asCommand } from "../logic/copyAs";
import { setKnob, setPrompt, sitAt, undo, useDraft } from "../logic/draft";
import { valueAt } from "../logic/knob";
import { fitRecipe, formatKnob, fromJson, keyOf, NEUTRAL, pointExists, withKnob } from "../logic/recipe";
import { sectionsOf } from "../logic/sections";
import { differenceOf } from "./difference";
import { exportPictures } from "./exportPictures";
import { DEFAULT_IMAGE, fromImageRequest, toImageRequest } from "./settings";
import { WHOLE, zoomed } from "./zoom";

const rgba = (...values: number[]) => new Uint8ClampedArray(values);

describe("difference", () => {
  it("is brought up as far as nothing is clipped, and says how far", () => {
    const { pixels, mean, most, gain } = differenceOf(rgba(10, 20, 30, 255), rgba(20, 20, 30, 255));
    expect(gain).toBe(16);
    expect([...pixels]).toEqual([160, 0, 0, 255]);
    expect(mean).toBeCloseTo(10 / 3 / 255);
    expect(most).toBeCloseTo(10 / 255);
  });
  it("of a picture from itself is nothing", () => {
    expect(differenceOf(rgba(1, 2, 3, 255), rgba(1, 2, 3, 255)).most).toBe(0);
  });
});

describe("zoom", () => {
  it("keeps what lies under the pointer where it is, and always fills the frame", () => {
    expect(zoomed(WHOLE, 2, 0.25, 0.25)).toEqual({ scale: 2, x: -0.25, y: -0.25 });
    expect(zoomed(zoomed(WHOLE, 4, 1, 1), 0.01)).toEqual(WHOLE);
  });
});

describe("settings", () => {
  it("send what differs from the model's own, and the seed", () => {
    expect(toImageRequest(DEFAULT_IMAGE)).toEqual({ seed: 7 });
    const settings = { ...DEFAULT_IMAGE, negative: "text", steps: 8, width: 64, height: 64, count: 2 };
    expect(fromImageRequest(toImageRequest(settings))).toEqual(settings);
  });
  it("stand in the command", () => {
    const how = { image: { seed: 3, negative: "a hat", width: 64, height: 96 } };
    const command = asCommand({
      model: "emoji-diffusion",
      prompt: "smiling cat",
      recipe: { tone: -0.5, bands: { attn: [1, 1.3] } },
      how,
      bands: ["M00", "OUT00"],
    }).replaceAll(" \\\n  ", " ");
    expect(command).toContain("--tone -0.5 --band attn:OUT00=1.3 --seed 3 --negative 'a hat' --size 64x96");
  });
});

describe("TONE and STYLE", () => {
  it("are neutral at 0, with a detent there", () => {
    expect(keyOf(fromJson({ tone: 0, style: 0 }))).toBe("{}");
    expect(keyOf(withKnob(NEUTRAL, "tone", -0.3))).toBe('{"tone":-0.3}');
    expect(valueAt(0.51, { min: -1, max: 1 }, 600, false, 0)).toBe(0);
    expect(formatKnob("tone", -0.3)).toBe("−0.30");
  });
  it("are left behind by a model of words, by name", () => {
    const layout = { layers: 2, eps: 1e-5, points: ["q"], eps_knob_max: 5 };
    const { recipe, dropped } = fitRecipe(fromJson({ attn: 1.2, tone: 0.5 }), layout);
    expect(dropped).toEqual(["tone"]);
    expect(keyOf(recipe)).toBe('{"attn":1.2}');
  });
});

describe("named bands", () => {
  const names = ["IN00", "IN01", "M00", "OUT00", "OUT01", "TE"];
  it("are grouped by what they share", () => {
    expect(sectionsOf(names).map(({ name, from, to }) => [name, from, to])).toEqual([
      ["IN", 0, 1],
      ["M", 2, 2],
      ["OUT", 3, 4],
      ["TE", 5, 5],
    ]);
    expect(sectionsOf(["0", "1"])).toEqual([]);
  });
  it("name points", () => {
    const layout = { layers: 6, band_names: names, eps: 1e-5, points: ["q", "q2"], eps_knob_max: 5 };
    expect(pointExists("OUT01.q2", layout)).toBe(true);
    expect(pointExists("OUT07.q", layout)).toBe(false);
  });
});

describe("the draft of two kinds", () => {
  beforeEach(() => useDraft.setState(useDraft.getInitialState(), true));
  it("keeps words and recipe of each kind apart, and gives them back", () => {
    setPrompt("Why is the sky blue?");
    setKnob("attn", 1.2);
    sitAt("image");
    expect(useDraft.getState()).toMatchObject({ prompt: "", recipe: NEUTRAL });
    setPrompt("빨간 사과");
    setKnob("tone", 0.4);
    undo();
    undo();
    expect(useDraft.getState().recipe).toEqual(NEUTRAL); // not the other kind's
    sitAt("text");
    expect(useDraft.getState()).toMatchObject({ prompt: "Why is the sky blue?", recipe: { attn: 1.2 } });
  });
});

it("the shared file asks nothing of any network and escapes what was typed", () => {
  const words = {
    lang: "ko",
    title: "t",
    prompt: "p",
    original: "o",
    tuned: "u",
    change: "c",
    recipe: "r",
    settings: "s",
    layer: "l",
    made: "m",
  };
  const html = exportPictures(
    {
      model: "m",
      prompt: '<img src="x">',
      base: "data:image/png;base64,AA",
      tuned: "data:image/png;base64,BB",
      recipe: { style: 0.5 },
      bands: [],
      settings: { seed: 7 },
      facts: [],
      command: "imfine",
    },
    words,
  );
  expect(html).toContain("img-src data:");
  expect(html).toContain("&lt;img");
  expect(html).toContain("+0.50");
  expect(html).not.toMatch(/<script|https?:\/\//);
});
