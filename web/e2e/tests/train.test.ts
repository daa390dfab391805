/** A person teaches the starter something: from a dropped file, over a reload in mid-run, to the comparison. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { App } from "../harness/app.ts";
import { violations } from "../harness/axe.ts";
import { KOREAN } from "../harness/chromium.ts";
import { shared } from "../harness/shared.ts";
import { Studio } from "../harness/studio.ts";

const STEPS = 5;
const THINGS = ["the sea", "a rope", "the moon", "bread", "a lamp", "rain", "a gull", "wood"];
const ROWS = Array.from({ length: 40 }, (_, n) =>
  JSON.stringify({
    prompt: `What is ${THINGS[n % THINGS.length]}, number ${n}?`,
    completion: `Arr, ${THINGS[n % THINGS.length]} is what a sailor of ${20 + n} years calls home.`,
  }),
).join("\n");

async function number(page: Page, name: string, value: number): Promise<void> {
  const box = page.getByRole("textbox", { name, exact: true });
  await box.fill(String(value));
  await box.press("Enter");
}

/** The steps that the table shows, without those of before the first one. */
async function steps(page: Page): Promise<number[]> {
  const rows = await page.locator("table tbody tr th").allInnerTexts();
  return rows.map(Number).filter((step) => step > 0);
}

const SLOW = { timeout: 240_000 }; // processes that start, on a machine that may be busy

describe("train", { timeout: 1_200_000 }, () => {
  let app: App;
  let browser: Browser;
  before(async () => {
    ({ app, browser } = await shared());
  });

  test("drop, preview, start, reload in mid-run, result, compare", async () => {
    const studio = await Studio.begin(browser, app);
    const { page } = studio;
    await page.getByRole("link", { name: "Train" }).click();
    await page.getByRole("heading", { name: "Examples to learn from" }).waitFor(); // until then Create takes what is dropped

    const transfer = await page.evaluateHandle((rows) => {
      const data = new DataTransfer();
      data.items.add(new File([rows], "sailor.jsonl"));
      return data;
    }, ROWS);
    await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
    await page.getByText("As the model reads it").waitFor(SLOW);
    const learned = await page.locator("mark").allInnerTexts();
    assert.ok(learned.some((text) => text.startsWith("Arr, the sea is what a sailor of 20 years")));
    assert.ok(!learned.some((text) => text.includes("What is")));

    await page.getByText("Expert settings").click();
    await page.getByRole("combobox", { name: "Ends after" }).selectOption("steps");
    await number(page, "Steps", STEPS);
    await number(page, "Longest watched answer", 8);
    await page.getByRole("button", { name: "Remove question 2" }).click();
    await page.getByText(/Trains [\d.]+K new numbers/).waitFor(SLOW);
    await page.getByText(/it fits/).waitFor(SLOW);
    assert.deepEqual(await violations(page), []);

    await page.getByRole("textbox", { name: "Name of the new model" }).fill("sailor");
    await page.getByRole("button", { name: "Start training" }).click();
    await page.getByText(new RegExp(`^[1-9]\\d* of ${STEPS}$`)).waitFor(SLOW);
    await page.reload();
    await page.getByRole("heading", { name: "sailor", exact: true }).waitFor(SLOW);
    await page.getByRole("button", { name: "Compare with the original" }).waitFor({ timeout: 400_000 });
    await page.getByRole("button", { name: "As a table" }).click();
    assert.deepEqual(
      await steps(page),
      Array.from({ length: STEPS }, (_, n) => n + 1),
    );
    assert.match(
      await page.getByRole("region", { name: "How its answers change" }).innerText(),
      new RegExp(`After step ${STEPS}`),
    );
    assert.deepEqual(await violations(page), []);

    await page.getByRole("button", { name: "Compare with the original" }).click();
    await page.getByRole("button", { name: /Model: SmolLM2/ }).waitFor();
    await page.getByRole("slider", { name: "sailor" }).waitFor();
    assert.equal(await page.getByRole("slider", { name: "sailor" }).getAttribute("aria-valuenow"), "1");
    assert.equal(await studio.prompt.inputValue(), "I want to be a superman.");
    await studio.close();
  });

  test("what is wrong in a file is told by line and field, in Korean", async () => {
    const studio = await Studio.begin(browser, app, KOREAN);
    const { page } = studio;
    await page.getByRole("link", { name: "학습" }).click();
    await page.getByRole("heading", { name: "보고 배울 예시" }).waitFor(); // Create has a field for files, too
    await page.locator("input[type=file]").setInputFiles({
      name: "bad.jsonl",
      mimeType: "application/jsonl",
      buffer: Buffer.from('{"prompt": "a", "completion": "b"}\n{"prompt": "c", "completion": 5}\n'),
    });
    await page.getByText("틀린 곳이 1군데라서 받지 않았어요").waitFor(SLOW);
    await page.getByRole("row", { name: "2 completion 글 숫자" }).waitFor();
    assert.deepEqual(await violations(page), []);
    await studio.close();
  });
});
