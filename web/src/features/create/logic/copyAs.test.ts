import { describe, expect, it } from "vitest";
import { asCommand, asCurl, asJson, asPython, shell } from "./copyAs";
import { DEFAULT_SAMPLING, toRequest } from "./sampling";

const asked = {
  model: "smollm2-135m",
  prompt: "It's me",
  recipe: { attn: 1.15, bands: { attn: [1, 1.5] }, points: { "4.q": 1.2 } },
  how: { sampling: toRequest({ ...DEFAULT_SAMPLING, stop: ["\n\n"] }) },
};

describe("copy as", () => {
  it("quotes for the shell", () => {
    expect(shell("plain-1.0")).toBe("plain-1.0");
    expect(shell("It's $HOME")).toBe("'It'\\''s $HOME'");
  });

  it("writes the command with only what was changed", () => {
    const command = asCommand(asked).replaceAll(" \\\n  ", " ");
    expect(command).toContain("imfine tune smollm2-135m --prompt 'It'\\''s me' --attn 1.15");
    expect(command).toContain("--band attn:1=1.5 --point 4.q=1.2");
    expect(command).toContain("--greedy --max-new-tokens 64 --seed 7");
    expect(command).not.toContain("--mlp");
  });

  it("writes Python, JSON and curl that say the same", () => {
    expect(asPython(asked)).toContain('imfine.load("smollm2-135m")');
    expect(asPython(asked)).toContain('sampling={"greedy": True');
    expect(JSON.parse(asJson(asked))).toMatchObject({
      kind: "generate",
      recipe: asked.recipe,
      sampling: { seed: 7 },
    });
    expect(asCurl(asked, "http://127.0.0.1:7878")).toContain("$IMFINE_TOKEN");
  });
});
