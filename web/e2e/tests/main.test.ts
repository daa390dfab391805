/** The main path, in every browser: open the printed address, choose, ask, turn a knob, find the runs again. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { App } from "../harness/app.ts";
import { openChromium } from "../harness/chromium.ts";
import { openFirefox } from "../harness/firefox.ts";
import { shared } from "../harness/shared.ts";
import { openWebkit } from "../harness/webkit.ts";

const BROWSERS = { Chromium: openChromium, Firefox: openFirefox, WebKit: openWebkit };
const TUNED = "section[data-kind=tuned]";

describe("the main path", () => {
  let app: App;
  before(async () => {
    ({ app } = await shared());
  });

  for (const [name, open] of Object.entries(BROWSERS)) {
    test(`in ${name}`, { timeout: 150_000 }, async () => {
      const driver = await open();
      try {
        await driver.goto(name === "Chromium" ? app.printed : app.address); // the printed token works once
        await driver.click("button", "Start with this model");
        await driver.fill("Prompt", `I want to be a superman, says ${name}.`);
        await driver.click("button", "Answer");
        await driver.waitForText(/tokens\/s[\s\S]*tokens\/s/, 60_000);
        const first = await driver.text(TUNED);

        await driver.press("slider", "ATTN", "ArrowRight");
        await driver.press("slider", "ATTN", "PageUp");
        assert.ok(Number(await driver.attribute("slider", "ATTN", "aria-valuenow")) > 1);
        await driver.waitForText(/First change at token \d+/, 60_000);
        assert.notEqual(await driver.text(TUNED), first);

        await driver.click("link", "Jobs");
        await driver.waitForText(`says ${name}`);
        await driver.screenshot(`results/main-${name}.png`);
      } catch (error) {
        await driver.screenshot(`results/main-${name}.png`);
        throw error;
      } finally {
        await driver.close();
      }
    });
  }
});
