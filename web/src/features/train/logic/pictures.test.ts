// @vitest-environment node
import { describe, expect, it } from "vitest";
import type { RunEvent } from "@/api/events";
import { draws, newCourse, promptsOf, received } from "./course";
import {
  type Blocks,
  batchFor,
  blocksOf,
  blocksWithin,
  chosenBlocks,
  DEFAULT_PICTURE_PLAN,
  fromPicturePlanJson,
  learnsAnything,
  PICTURE_GOAL_SETS,
  type PicturePlan,
  pictureGoalOf,
  picturePlanJson,
  pixelsOf,
  sidesOf,
} from "./picturePlan";
import { withChange } from "./plan";
import { inOne, nameOf } from "./zip";

const BLOCKS: Blocks = blocksOf({
  band_names: ["IN00", "IN01", "M00", "OUT00", "OUT01", "TE"],
  trainable_bands: ["IN01", "M00", "OUT01", "TE"],
});
const SIDES = { sample_size: 64, multiple_of: 8 };
const plan = (change: Partial<PicturePlan> = {}): PicturePlan => ({ ...DEFAULT_PICTURE_PLAN, ...change });
const json = (change: Partial<PicturePlan> = {}) => picturePlanJson(plan(change), BLOCKS, SIDES, 4);

describe("the blocks of a picture model", () => {
  it("are those of the UNet; the text encoder is a switch of its own", () => {
    expect(BLOCKS).toEqual({
      all: ["IN00", "IN01", "M00", "OUT00", "OUT01"],
      own: ["IN01", "M00", "OUT01"],
      encoder: true,
    });
    expect(json().blocks).toBeNull();
    expect(json({ text_encoder: true }).blocks).toEqual(["IN01", "M00", "OUT01", "TE"]);
    expect(json({ blocks: [], text_encoder: true }).blocks).toEqual(["TE"]);
    expect(json({ blocks: ["M00"] }).blocks).toEqual(["M00"]);
  });

  it("stay within the model: another model's are passed over", () => {
    expect(blocksWithin(["OUT09", "M00"], BLOCKS)).toEqual(["M00"]);
    expect(blocksWithin(["OUT09"], BLOCKS)).toEqual(BLOCKS.own);
    expect(blocksWithin([], BLOCKS)).toEqual([]);
    expect(chosenBlocks(["OUT01", "IN01", "M00"], BLOCKS)).toBeNull();
    expect(chosenBlocks(["OUT01", "IN01"], BLOCKS)).toEqual(["IN01", "OUT01"]);
  });

  it("may not all be left out, unless the text encoder learns", () => {
    expect(learnsAnything(plan({ blocks: [] }), BLOCKS)).toBe(false);
    expect(learnsAnything(plan({ blocks: [], text_encoder: true }), BLOCKS)).toBe(true);
    expect(learnsAnything(plan({ blocks: [], text_encoder: true }), { ...BLOCKS, encoder: false })).toBe(
      false,
    );
  });
});

describe("a plan for pictures", () => {
  it("knows whose settings it has", () => {
    expect(pictureGoalOf(plan())).toBe("style");
    expect(pictureGoalOf(plan(PICTURE_GOAL_SETS.character))).toBe("character");
    expect(pictureGoalOf(plan({ blocks: ["M00"] }))).toBeNull();
    expect(pictureGoalOf(plan({ prior: "a cat", ema: 0.9 }))).toBe("style"); // no goal says these
  });

  it("goes to the server without what is off, and without a text model's settings", () => {
    const sent = json({ snr_gamma: 0.05, prior: "  ", samples: ["cat ", ""] });
    expect(sent).toMatchObject({ batch: 4, epochs: 40, snr_gamma: null, resolution: null, samples: ["cat"] });
    for (const name of [
      "prior",
      "prior_count",
      "layers",
      "length",
      "packing",
      "answers_only",
      "sample_tokens",
    ])
      expect(sent).not.toHaveProperty(name);
    expect(json({ snr_gamma: 5, prior: " a cat ", resolution: 128 })).toMatchObject({
      snr_gamma: 5,
      prior: "a cat",
      prior_count: 32,
      prior_weight: 1,
      resolution: 128,
    });
  });

  it("is laid out again as it was asked", () => {
    const asked = plan({
      blocks: ["IN01"],
      text_encoder: true,
      snr_gamma: 5,
      prior: "a cat",
      resolution: 128,
      steps: 9,
      method: "dora",
      batch: 4,
    });
    const sent = picturePlanJson(asked, BLOCKS, SIDES, 4);
    expect(fromPicturePlanJson(sent as Record<string, unknown>)).toEqual(asked);
    expect(fromPicturePlanJson({ ...json(), blocks: null, prior: null })).toEqual(plan({ batch: 4 }));
  });

  it("takes the server's offer but for blocks, which are chosen by hand", () => {
    const offer = { resolution: 32, batch: 1, accumulation: 4, blocks: ["M00"] };
    expect(withChange(plan(), offer)).toEqual(plan({ resolution: 32, batch: 1, accumulation: 4 }));
  });

  it("learns in sides that the model can have", () => {
    expect(pixelsOf(plan(), SIDES)).toBe(64);
    expect(pixelsOf(plan({ resolution: 96 }), SIDES)).toBe(96);
    expect(pixelsOf(plan({ resolution: 96 }), { sample_size: 512, multiple_of: 64 })).toBe(512);
    expect(json({ resolution: 100 }).resolution).toBeNull();
    expect(sidesOf(64)).toEqual({ min: 64, max: 2048, step: 64 });
  });

  it("takes small steps where there are few pictures", () => {
    expect([3, 8, 16, null].map((pictures) => batchFor(plan(), pictures))).toEqual([1, 2, 4, 4]);
    expect(batchFor(plan({ batch: 7 }), 3)).toBe(7);
  });
});

describe("a course of pictures", () => {
  const said = (event: Record<string, unknown>): RunEvent =>
    ({ id: 1, run: "r", attempt: 1, ...event }) as unknown as RunEvent;
  const picture = { seed: 0, width: 64, height: 64, sha256: "ab", size: 9, url: "/api/artifacts/ab.png" };
  const drawn = (step: number, index: number, prompt: string) =>
    said({ type: "sampled", step, index, prompt, text: "", picture });

  it("keeps what was drawn, and knows by it what the model makes", () => {
    const course = [drawn(0, 1, "dog"), drawn(0, 0, "cat"), drawn(5, 0, "cat")].reduce(
      received,
      newCourse("r", "n"),
    );
    expect(course.samples).toHaveLength(3);
    expect(course.samples.at(-1)).toEqual({ step: 5, index: 0, prompt: "cat", text: "", picture });
    expect(promptsOf(course.samples)).toEqual([
      [0, "cat"],
      [1, "dog"],
    ]);
    expect(draws(course)).toBe(true);
    const measured = (perplexity: number | null) =>
      received(newCourse("r", "n"), said({ type: "evaluated", step: 0, loss: 1, perplexity, tokens: 1 }));
    expect([null, 3].map((each) => draws(measured(each)))).toEqual([true, false]);
  });
});

describe("several files in one", () => {
  const files = [new File(["one"], "cat-01.png"), new File(["둘"], "cat-02.txt")];
  const never = new AbortController().signal;

  it("has every file under its own path; the same files are the same zip", async () => {
    const zip = await inOne(files, () => {}, never);
    const bytes = new Uint8Array(await zip.arrayBuffer());
    const text = new TextDecoder().decode(bytes);
    expect(text.startsWith("PK")).toBe(true);
    expect(zip.name).toBe("cat.zip");
    for (const file of files) {
      expect(text).toContain(file.name);
      expect(text).toContain(await file.text());
    }
    expect(new Uint8Array(await (await inOne(files, () => {}, never)).arrayBuffer())).toEqual(bytes);
  });

  it("leaves a single file as it is, and can be called off", async () => {
    expect(await inOne(files.slice(0, 1), () => {}, never)).toBe(files[0]);
    await expect(inOne(files, () => {}, AbortSignal.abort())).rejects.toThrow(/abort/i);
  });

  it("is called as its folder, or as its files begin", () => {
    const named = (...paths: string[]) =>
      nameOf(
        paths.map((path) => Object.defineProperty(new File([], "f"), "webkitRelativePath", { value: path })),
      );
    expect(nameOf(files)).toBe("cat");
    expect(named("my emoji/a.png", "my emoji/b/c.png")).toBe("my emoji");
    expect(named("a.png", "b.png")).toBe("files");
  });
});
