import { describe, expect, it } from "vitest";
import { exportHtml, type Kept, type Words } from "./exportHtml";

const words: Words = {
  lang: "ko",
  title: "아임파인",
  prompt: "문장",
  original: "원본",
  tuned: "조정",
  change: "처음 달라진 곳: 4번째 토큰",
  recipe: "레시피",
  settings: "설정",
  layer: "층",
  made: "아임파인에서 만들었어요",
};
const kept: Kept = {
  model: "<img src=x onerror=alert(1)>",
  revision: "1",
  dtype: "float32",
  prompt: "</p><script>alert(1)</script>",
  base: "a & b",
  tuned: 'a & <b> "c"',
  recipe: { attn: 1.15, bands: { attn: [1, 0.5] }, points: { "<o>": 2 } },
  settings: { stop: ["</dd>"] },
  facts: [],
  command: "imfine tune 'x' --prompt '<y>'",
};

describe("the HTML file", () => {
  const html = exportHtml(kept, words);
  const page = new DOMParser().parseFromString(html, "text/html");

  it("escapes whatever a model or a person wrote", () => {
    expect(page.querySelectorAll("script, img")).toHaveLength(0);
    expect(page.body.textContent).toContain("</p><script>alert(1)</script>");
    expect(page.querySelector(".tuned .answer")?.textContent).toBe(kept.tuned);
  });

  it("asks nothing of any network", () => {
    expect(html).not.toMatch(/https?:|<link|@import|url\(/);
    expect(html).toContain("default-src 'none'");
  });

  it("holds both answers, the difference, the recipe and the settings in the reader's language", () => {
    expect(page.documentElement.lang).toBe("ko");
    expect(page.querySelectorAll("mark").length).toBeGreaterThan(0);
    expect(page.body.textContent).toContain("1.15");
    expect(page.body.textContent).toContain("처음 달라진 곳: 4번째 토큰");
  });
});
