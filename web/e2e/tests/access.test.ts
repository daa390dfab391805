/** axe finds nothing on any screen, in both themes and both languages; `?` lists the shortcuts. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import type { App } from "../harness/app.ts";
import { violations } from "../harness/axe.ts";
import { ENGLISH, KOREAN } from "../harness/chromium.ts";
import { shared } from "../harness/shared.ts";
import { Studio } from "../harness/studio.ts";

describe("accessibility", { timeout: 300_000 }, () => {
  let app: App;
  let browser: Browser;
  before(async () => {
    ({ app, browser } = await shared());
  });

  // What a theme breaks are colours, what a language breaks are words: each of the four is met once.
  for (const [language, options, colorScheme] of [
    ["en", ENGLISH, "light"],
    ["ko", KOREAN, "dark"],
  ] as const)
    test(`every screen, ${language}, ${colorScheme}`, async () => {
      const studio = await Studio.open(browser, app, { ...options, colorScheme, reducedMotion: "reduce" });
      const { page } = studio;
      const start = page.getByRole("button", { name: /Start with this model|이 모델로 시작하기/ });
      await start.waitFor();
      assert.deepEqual(await violations(page), [], "Choose");
      await start.click();
      await studio.ask("Why is the sky blue?");
      await studio.knob("ATTN").press("End");
      await studio.answered();
      for (const fold of await page.locator("summary:visible").all()) await fold.click();
      assert.deepEqual(await violations(page), [], "Create");
      for (const screen of [/^(Jobs|작업)$/, /^(Models|모델)$/]) {
        await page.getByRole("link", { name: screen }).first().click();
        await page.getByRole("heading", { level: 1, name: screen }).waitFor();
        assert.deepEqual(await violations(page), [], String(screen));
      }
      await studio.close();
    });

  test("without a token: the page that asks for it", async () => {
    const page = await browser.newPage(ENGLISH);
    await page.goto(app.url);
    await page.getByLabel(/token/i).waitFor();
    assert.deepEqual(await violations(page), []);
    await page.close();
  });
});
