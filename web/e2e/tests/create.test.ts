/** What a person does on the Create page, beyond the main path. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, before, beforeEach, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import type { App } from "../harness/app.ts";
import { KOREAN } from "../harness/chromium.ts";
import { shared } from "../harness/shared.ts";
import { Studio } from "../harness/studio.ts";

const PROMPT = "I want to be a superman.";

describe("create", { timeout: 400_000 }, () => {
  let app: App;
  let browser: Browser;
  let studio: Studio;
  before(async () => {
    ({ app, browser } = await shared());
  });
  beforeEach(async () => {
    studio = await Studio.begin(browser, app);
  });
  afterEach(() => studio.close());

  test("the first answer takes three clicks: choose, example, and it is there", async () => {
    await studio.page.getByRole("button", { name: PROMPT }).click();
    await studio.answered();
    await studio
      .lane("Original")
      .getByText(/Verified/)
      .waitFor();
  });

  test("with the keyboard alone", async () => {
    const { page } = studio;
    await studio.prompt.focus();
    await page.keyboard.type(PROMPT);
    await page.keyboard.press("Control+Enter");
    await studio.answered();
    for (let presses = 0; presses < 40; presses++) {
      if (await studio.knob("ATTN").evaluate((slider) => slider === document.activeElement)) break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("End");
    assert.equal(await studio.knob("ATTN").getAttribute("aria-valuenow"), "2");
    assert.match(await studio.change(), /First change/);
    await page.keyboard.press("Home");
    assert.equal(await studio.knob("ATTN").getAttribute("aria-valuenow"), "0.1");
  });

  test("a drag is one step of undo, and redo brings it back", async () => {
    const { page } = studio;
    const knob = studio.knob("MLP");
    const from = await knob.boundingBox();
    assert.ok(from);
    await page.mouse.move(from.x + from.width / 2, from.y + from.height / 2);
    await page.mouse.down();
    for (let step = 1; step <= 12; step++) await page.mouse.move(from.x + 8 * step, from.y + 6);
    await page.mouse.up();
    const dragged = await knob.getAttribute("aria-valuenow");
    assert.notEqual(dragged, "1");
    await page.getByRole("button", { name: "Undo" }).click();
    assert.equal(await knob.getAttribute("aria-valuenow"), "1");
    await page.getByRole("button", { name: "Redo" }).click();
    assert.equal(await knob.getAttribute("aria-valuenow"), dragged);
  });

  test("a reload keeps prompt, knobs and language", async () => {
    const { page } = studio;
    await studio.prompt.fill("A draft that must not be lost");
    await studio.knob("EPS").press("PageUp");
    const value = await studio.knob("EPS").getAttribute("aria-valuenow");
    await page.getByRole("button", { name: /Language/ }).click();
    await page.getByRole("menuitem", { name: "한국어" }).click();
    await page.reload();
    await studio.prompt.waitFor();
    assert.equal(await studio.prompt.inputValue(), "A draft that must not be lost");
    assert.equal(await studio.knob("EPS").getAttribute("aria-valuenow"), value);
    assert.equal(await page.locator("html").getAttribute("lang"), "ko");
  });

  test("neutral knobs say that no token changed; a moved one names the token", async () => {
    await studio.ask(PROMPT);
    await studio.knob("ATTN").press("End");
    assert.match(await studio.change(), /First change at token \d+/);
    await studio.knob("ATTN").dblclick();
    await studio.page.getByText("No token changed").first().waitFor();
  });

  test("a question asked before the model's layout has come is answered all the same", async () => {
    const { page } = studio;
    await page.route("**/api/models/*", async (route) => {
      await new Promise((done) => setTimeout(done, 1500));
      await route.continue();
    });
    await page.reload();
    await studio.prompt.waitFor();
    await studio.ask(PROMPT);
    assert.ok((await studio.lane("Tuned").innerText()).length > 20);
  });

  test("a click on a token shows the five likeliest of both lanes", async () => {
    await studio.ask(PROMPT);
    await studio.lane("Tuned").locator("[data-token='3']").click();
    const panel = studio.page.getByRole("region", { name: "Token 4" });
    await panel.waitFor();
    assert.equal(await panel.getByRole("listitem").count(), 10);
  });

  test("a stop ends the answer, and what was said stays", async () => {
    await studio.begun("Tell me a very long story about the sea.");
    await studio.page.getByRole("button", { name: "Stop", exact: true }).click();
    await studio.page.getByRole("button", { name: "Answer", exact: true }).waitFor({ timeout: 10_000 });
    assert.ok((await studio.lane("Original").innerText()).length > 20);
  });

  test("the shared file opens without any network", async () => {
    await studio.ask(PROMPT);
    await studio.knob("ATTN").press("End");
    await studio.change();
    const { page } = studio;
    await page.getByRole("button", { name: "Share" }).click();
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("menuitem", { name: /One HTML file/ }).click(),
    ]);
    const file = await download.path();
    assert.doesNotMatch(readFileSync(file, "utf8"), /(src|href)="?https?:/);
    const context = await browser.newContext({ offline: true });
    const reader = await context.newPage();
    const asked: string[] = [];
    reader.on("request", (request) => asked.push(request.url()));
    await reader.goto(`file://${file}`);
    assert.match(await reader.locator("body").innerText(), /superman/);
    assert.deepEqual(
      asked.filter((url) => !/^(file|data):/.test(url)),
      [],
    );
    await context.close();
  });

  test("Korean first, where the browser asks for it", async () => {
    const korean = await Studio.begin(browser, app, KOREAN);
    await korean.prompt.fill("바다에 대해 두 문장으로 말해 줘.");
    await korean.page.getByRole("button", { name: "답 듣기", exact: true }).click();
    await korean.answered();
    await korean.page.getByText(/서툴 수 있어요/).waitFor();
    await korean.close();
  });

  test("on a phone nothing is cut off", async () => {
    const phone = await Studio.begin(browser, app, {
      viewport: { width: 390, height: 844 },
      isMobile: true,
      hasTouch: true,
    });
    await phone.ask(PROMPT);
    const [inner, scroll] = await phone.page.evaluate(() => [
      window.innerWidth,
      document.documentElement.scrollWidth,
    ]);
    assert.equal(scroll, inner);
    await phone.close();
  });
});
