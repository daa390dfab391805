/** axe finds nothing on any screen, in both themes and both languages; `?` lists the shortcuts. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import type { AxeResults } from "axe-core";
import type { Browser, Page } from "playwright-core";
import { App } from "../harness/app.ts";
import { ENGLISH, KOREAN, launchChromium } from "../harness/chromium.ts";
import { Studio } from "../harness/studio.ts";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

/** Violations in short: the rule, what it says, and where. */
async function violations(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  const found = await page.evaluate<AxeResults>("axe.run(document)");
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${help} at ${target} (${failureSummary})`),
  );
}

describe("accessibility", { timeout: 300_000 }, () => {
  let app: App;
  let browser: Browser;
  before(async () => {
    app = await App.start();
    browser = await launchChromium();
  });
  after(async () => {
    await browser?.close();
    await app?.close();
  });

  for (const [language, options] of Object.entries({ en: ENGLISH, ko: KOREAN }))
    for (const colorScheme of ["light", "dark"] as const)
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
