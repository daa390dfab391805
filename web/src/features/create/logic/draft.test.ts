import { beforeEach, describe, expect, it, vi } from "vitest";
import * as draft from "./draft";
import { NEUTRAL } from "./recipe";

const attn = () => draft.useDraft.getState().recipe.attn;

beforeEach(() => {
  draft.useDraft.setState(draft.useDraft.getInitialState(), true);
  draft.useDraft.temporal.getState().clear();
});

describe("undo", () => {
  it("takes a drag back as one step", () => {
    draft.setKnob("attn", 1.5);
    draft.beginGesture();
    for (const value of [1.55, 1.6, 1.65, 1.7]) draft.setKnob("attn", value);
    draft.endGesture();
    draft.undo();
    expect(attn()).toBe(1.5);
    draft.redo();
    expect(attn()).toBe(1.7);
    draft.undo();
    draft.undo();
    expect(attn()).toBe(1);
  });

  it("does not count a drag that ends where it began", () => {
    draft.beginGesture();
    draft.setKnob("attn", 1.5);
    draft.setKnob("attn", 1);
    draft.endGesture();
    expect(draft.useDraft.temporal.getState().pastStates).toHaveLength(0);
  });

  it("reaches 50 steps back", () => {
    for (let i = 1; i <= 60; i++) draft.setKnob("mlp", 1 + i / 100);
    for (let i = 0; i < 60; i++) draft.undo();
    expect(draft.useDraft.getState().recipe.mlp).toBe(1.1);
  });

  it("leaves the prompt alone: the text has an undo of its own", () => {
    draft.setPrompt("a");
    draft.setKnob("attn", 1.2);
    draft.setPrompt("ab");
    draft.undo();
    expect(draft.useDraft.getState().prompt).toBe("ab");
    expect(attn()).toBe(1);
  });

  it("brings back what a reset took", () => {
    draft.setKnob("attn", 1.2);
    draft.fillBandHere(null, "mlp", 4, [1, 2], 0.5);
    draft.resetRecipe();
    expect(draft.useDraft.getState().recipe).toEqual(NEUTRAL);
    draft.undo();
    expect(draft.useDraft.getState().recipe.bands.mlp).toEqual([1, 0.5, 0.5, 1]);
  });
});

describe("A/B", () => {
  it("goes between two recipes and forgets neither", () => {
    draft.setKnob("attn", 1.2);
    draft.swapSlots();
    expect(attn()).toBe(1);
    draft.setKnob("attn", 0.8);
    draft.swapSlots();
    expect(attn()).toBe(1.2);
    draft.swapSlots();
    expect(attn()).toBe(0.8);
  });
});

describe("the draft", () => {
  it("survives a reload: prompt, sampling, recipe, mute", async () => {
    draft.setPrompt("I want to be a superman.");
    draft.setSampling({ max_new_tokens: 32, greedy: false });
    draft.setKnob("eps", 2.5);
    draft.toggleMute(3);
    vi.resetModules();
    const again = await import("./draft");
    const now = again.useDraft.getState();
    expect(now.prompt).toBe("I want to be a superman.");
    expect(now.sampling).toMatchObject({ max_new_tokens: 32, greedy: false, top_p: 0.95 });
    expect(now.recipe.eps).toBe(2.5);
    expect(now.muted).toEqual([3]);
    expect(again.useDraft.temporal.getState().pastStates).toHaveLength(0);
  });
});
