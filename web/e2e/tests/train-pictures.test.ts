/** A person teaches the picture starter a look: dropped pictures and captions, some steps, what it draws, and the end beside
 * the original; and a knob, from two phrases. */
import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import type { App } from "../harness/app.ts";
import { violations } from "../harness/axe.ts";
import { shared } from "../harness/shared.ts";
import { Studio } from "../harness/studio.ts";

const STEPS = 4;
const SLOW = { timeout: 240_000 }; // processes that start, on a machine that may be busy
const TRAINED = { timeout: 400_000 }; // training is niced: whatever else runs comes first

/** Drops rings on navy, wider than high, each with a caption of its stem, but for the last. */
async function dropRings(page: Page, colours: readonly string[]): Promise<void> {
  const transfer = await page.evaluateHandle(async (colours) => {
    const data = new DataTransfer();
    for (const [n, colour] of colours.entries()) {
      const canvas = document.createElement("canvas");
      canvas.width = 96;
      canvas.height = 64;
      const brush = canvas.getContext("2d") as CanvasRenderingContext2D;
      brush.fillStyle = "#0c143c";
      brush.fillRect(0, 0, 96, 64);
      brush.strokeStyle = colour;
      brush.lineWidth = 6;
      brush.arc(48, 32, 20, 0, 7);
      brush.stroke();
      const png = await new Promise<Blob | null>((done) => canvas.toBlob(done));
      data.items.add(new File([png as Blob], `ring-${n}.png`));
      if (n < colours.length - 1) data.items.add(new File([`${colour} ring at night`], `ring-${n}.txt`));
    }
    return data;
  }, colours);
  await page.dispatchEvent("body", "drop", { dataTransfer: transfer });
}

/** Red, green and blue of a canvas, from 0 to 255, at a share of its width and height. */
const colourAt = (page: Page, name: string, x: number, y: number): Promise<number[]> =>
  page.getByRole("img", { name, exact: true }).evaluate(
    (element, [x, y]) => {
      const canvas = element as HTMLCanvasElement;
      const brush = canvas.getContext("2d") as CanvasRenderingContext2D;
      return [...brush.getImageData(x * canvas.width, y * canvas.height, 1, 1).data.slice(0, 3)];
    },
    [x, y] as const,
  );

describe("train on pictures", { timeout: 1_200_000 }, () => {
  let app: App;
  let browser: Browser;
  before(async () => {
    ({ app, browser } = await shared());
  });

  test("drop, what the model sees, start, what it draws, compare", async () => {
    const studio = await Studio.open(browser, app);
    const { page } = studio;
    await page.getByRole("button", { name: /(Start with|Use) this model: .*emoji/i }).click();
    await page.getByRole("slider", { name: "TONE" }).waitFor();
    await page.getByRole("link", { name: "Train" }).click();
    await page.getByText("Drop pictures here").waitFor();

    await dropRings(page, ["red", "yellow", "green", "blue", "white", "pink", "orange", "gray"]);
    await page.getByText("As the model sees them").waitFor(SLOW);
    await page.getByText("ring.zip").waitFor();
    await page.getByText("1 picture has no caption").waitFor();
    await page.getByText("red ring at night", { exact: true }).waitFor();
    await page.waitForTimeout(300); // the pictures are drawn
    const [red = 0, , blue = 255] = await colourAt(page, "Picture 1", 0.19, 0.5);
    assert.ok(red > 150 && blue < 100, "the ring is cut from the middle");

    await page
      .getByRole("group", { name: "Blocks" })
      .getByRole("button", { name: "OUT", exact: true })
      .click();
    await page.getByText("Expert settings").click();
    await page.getByRole("combobox", { name: "Ends after" }).selectOption("steps");
    for (const [name, value] of [
      ["Steps", String(STEPS)],
      ["Pictures at once (batch)", "2"],
    ] as const) {
      const box = page.getByRole("textbox", { name, exact: true });
      await box.fill(value);
      await box.press("Enter");
    }
    await page.getByRole("button", { name: "Remove prompt 2" }).click();
    await page.getByText(/Trains [\d.]+K new numbers/).waitFor(SLOW);
    await page.getByText(/it fits/).waitFor(SLOW);
    assert.deepEqual(await violations(page), []);

    await page.getByRole("textbox", { name: "Name of the new model" }).fill("rings");
    await page.getByRole("button", { name: "Start training" }).click();
    await page.getByRole("img", { name: "smiling cat: Before training" }).waitFor(TRAINED);
    await page.getByRole("button", { name: "Compare with the original" }).waitFor(TRAINED);
    const moments = page.getByRole("group", { name: "All moments: smiling cat" }).getByRole("button");
    assert.equal(await moments.count(), 1 + STEPS);
    const drawn = page.getByRole("img", { name: `smiling cat: After step ${STEPS}` });
    assert.equal(await drawn.evaluate((image) => (image as HTMLImageElement).naturalWidth), 64);
    assert.deepEqual(await violations(page), []);

    await page.getByRole("button", { name: "Compare with the original" }).click();
    await page.getByRole("slider", { name: "rings" }).waitFor();
    assert.equal(await page.getByRole("slider", { name: "rings" }).getAttribute("aria-valuenow"), "1");
    for (const kind of ["base", "tuned"])
      await page.locator(`section[data-kind=${kind}] img[src^="/api/artifacts/"]`).waitFor(SLOW);
    assert.equal(await studio.prompt.inputValue(), "smiling cat");
    await studio.close();
  });

  test("two phrases, start, reload in mid-run, try the knob", async () => {
    const studio = await Studio.open(browser, app);
    const { page } = studio;
    await page.getByRole("button", { name: /(Start with|Use) this model: .*emoji/i }).click();
    await page.getByRole("slider", { name: "TONE" }).waitFor();
    await page.getByRole("link", { name: "Train" }).click();
    await page.getByRole("radio", { name: /From two phrases/ }).click();
    await page.getByText(/it fits/).waitFor(SLOW);
    assert.deepEqual(await violations(page), [], "empty");

    await page.getByRole("button", { name: "smiling face ↔ crying face" }).click();
    await page.getByText("Expert settings").click();
    for (const [name, value] of [
      ["Steps", String(STEPS)],
      ["Pictures it draws first", "1"],
      ["Pictures at once (batch)", "1"],
    ] as const) {
      const box = page.getByRole("textbox", { name, exact: true });
      await box.fill(value);
      await box.press("Enter");
    }
    assert.deepEqual(await violations(page), [], "set up");
    await page.getByRole("button", { name: "Learn this knob" }).click();
    await page.getByRole("heading", { name: "smile", exact: true }).waitFor(SLOW);
    await page.reload();
    await page.getByRole("button", { name: "Try it" }).waitFor(TRAINED);
    await page.getByText(`${STEPS} of ${STEPS}`).waitFor();
    assert.deepEqual(await violations(page), [], "done");

    await page.getByRole("button", { name: "Try it" }).click();
    const knob = page.getByRole("slider", { name: "smile" });
    await knob.waitFor();
    for (const [name, value] of Object.entries({ valuemin: "-2", valuenow: "1", valuemax: "2" }))
      assert.equal(await knob.getAttribute(`aria-${name}`), value);
    for (const kind of ["base", "tuned"])
      await page.locator(`section[data-kind=${kind}] img[src^="/api/artifacts/"]`).waitFor(SLOW);
    await studio.close();
  });
});
