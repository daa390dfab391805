/** Pictures in the browser: drawn, turned, compared in three ways, given back by their own PNG. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { App } from "../harness/app.ts";
import { shared } from "../harness/shared.ts";
import { Studio } from "../harness/studio.ts";

let app: App;
let browser: Browser;

async function begin(): Promise<{ studio: Studio; page: Page }> {
  const studio = await Studio.open(browser, app);
  const { page } = studio;
  await page.getByRole("button", { name: /(Start with|Use) this model: .*emoji/i }).click();
  await page.getByRole("slider", { name: "TONE" }).waitFor();
  return { studio, page };
}

/** Waits until both lanes show a finished picture of the present move; returns the tuned one's address. */
async function drawn(page: Page): Promise<string> {
  await page.getByRole("button", { name: "Draw", exact: true }).waitFor({ timeout: 120_000 });
  for (const kind of ["base", "tuned"])
    await page.locator(`section[data-kind=${kind}] img[src^="/api/artifacts/"]`).waitFor({ timeout: 20_000 });
  return (await page.locator("section[data-kind=tuned] img").getAttribute("src")) ?? "";
}

describe("pictures", () => {
  before(async () => {
    ({ app, browser } = await shared());
  });

  test("a picture is drawn, a slider draws it anew, and it survives a reload", async () => {
    const { studio, page } = await begin();
    await studio.prompt.fill("smiling cat");
    await page.getByRole("button", { name: "Draw", exact: true }).click();
    const first = await drawn(page);
    for (let turn = 0; turn < 6; turn++) await page.getByRole("slider", { name: "TONE" }).press("ArrowRight");
    await page.waitForTimeout(500); // the move is asked for
    const second = await drawn(page);
    assert.notEqual(second, first);
    for (const mode of ["Slider", "Difference", "Side by side"])
      await page.getByRole("button", { name: mode, exact: true }).click();
    await page.reload();
    assert.equal(await drawn(page), second);
    await studio.close();
  });

  test("a PNG of ours, dropped on the page, brings back what made it", async () => {
    const { studio, page } = await begin();
    await studio.prompt.fill("빨간 사과");
    await page.getByRole("slider", { name: "STYLE" }).press("PageUp");
    await page.waitForTimeout(500);
    await drawn(page);
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download" }).click();
    await page.getByRole("menuitem", { name: /Tuned picture/ }).click();
    const png = await readFile(await (await download).path());
    await page.getByRole("button", { name: "Reset all knobs" }).click();
    await studio.prompt.fill("something else");
    await page
      .locator('input[type=file][accept="image/png"]')
      .setInputFiles({ name: "one.png", mimeType: "image/png", buffer: png });
    await page.getByText(/as it was for this picture/).waitFor();
    assert.equal(await studio.prompt.inputValue(), "빨간 사과");
    const style = page.getByRole("slider", { name: "STYLE" });
    assert.equal(await style.getAttribute("aria-valuenow"), "0.25");
    await studio.close();
  });
});
