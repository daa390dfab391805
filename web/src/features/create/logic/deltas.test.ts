import { expect, test } from "vitest";
import { adapterName, labelIn } from "./adapters";
import { asCommand, asPython } from "./copyAs";
import { fitRecipe, fromJson, NEUTRAL, short, toJson, withDelta, withDeltaBand } from "./recipe";

const LAYOUT = { layers: 2, eps: 1e-5, points: [], eps_knob_max: 5, deltas: ["mine"] };

test("neutral deltas say nothing; one without bands is its number", () => {
  const laidOut = withDelta(NEUTRAL, "mine", { strength: 0 });
  expect(toJson(laidOut)).toEqual({});
  expect(laidOut.deltas).toHaveProperty("mine");
  const half = withDelta(laidOut, "mine", { strength: 0.1 + 0.2 });
  expect(toJson(half)).toEqual({ deltas: { mine: 0.3 } });
  const banded = withDeltaBand(half, "mine", "mlp", [0, 1]);
  expect(toJson(banded)).toEqual({ deltas: { mine: { strength: 0.3, bands: { mlp: [0, 1] } } } });
  expect(toJson(withDeltaBand(banded, "mine", "mlp", [1, 1]))).toEqual({ deltas: { mine: 0.3 } });
  expect(toJson(fromJson(toJson(banded)))).toEqual(toJson(banded));
  expect(toJson(withDelta(banded, "mine", null))).toEqual({});
});

test("another model's deltas, and bands of other layers, are left behind by name", () => {
  const recipe = fromJson({
    deltas: { mine: 0.5, theirs: 1, long: { strength: 1, bands: { attn: [1, 2, 3] } } },
  });
  const { recipe: fitted, dropped } = fitRecipe(recipe, LAYOUT);
  expect(toJson(fitted)).toEqual({ deltas: { mine: 0.5 } });
  expect(dropped).toEqual(["theirs", "long"]);
});

test("said in few words, and as a command and Python", () => {
  const recipe = { deltas: { "a b": 0.5, mine: { strength: -1, bands: { attn: [1, 0.25] } } } };
  expect(short(recipe)).toEqual({
    knobs: [],
    deltas: [
      { id: "a b", value: 0.5 },
      { id: "mine", value: -1 },
    ],
    bands: 1,
    points: 0,
  });
  const asked = { model: "m", prompt: "Hi", recipe, how: { sampling: {} } };
  expect(asCommand(asked)).toContain(
    "--delta 'a b=0.5' \\\n  --delta mine=-1 \\\n  --delta mine:attn:1=0.25",
  );
  expect(asPython(asked)).toContain(
    'deltas={"a b": 0.5, "mine": {"bands": {"attn": [1, 0.25]}, "strength": -1}}',
  );
});

test("a file's name becomes a name that a delta may have", () => {
  expect(adapterName("My LoRA (v2).safetensors", [])).toBe("My LoRA -v2-");
  expect(adapterName("../나의 것.zip", [])).toBe("나의 것");
  expect(adapterName("x.safetensors", ["x", "x-2"])).toBe("x-3");
  expect(adapterName("....safetensors", [])).toBe("adapter");
});

test("a label in the reader's language, else in English, else the id", () => {
  const delta = { label: { en: "Region", ko: "지역" } } as never;
  expect(labelIn(delta, "r", "ko")).toBe("지역");
  expect(labelIn(delta, "r", "fr")).toBe("Region");
  expect(labelIn(undefined, "r", "ko")).toBe("r");
});
