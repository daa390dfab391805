/** What dies in mid-answer, and how the page goes on. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { Browser } from "playwright-core";
import { App } from "../harness/app.ts";
import { launchChromium } from "../harness/chromium.ts";
import { Studio } from "../harness/studio.ts";

describe("faults", { timeout: 300_000 }, () => {
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

  test("kill -9 of the live worker in mid-answer: it is answered again, and the page goes on", async () => {
    const studio = await Studio.begin(browser, app);
    await studio.ask("Say hello."); // the model is warm
    await studio.begun("Tell me a long story about a lighthouse.");
    app.killLiveWorker();
    await studio.answered();
    const { items } = await app.api<{ items: { id: string; state: string; attempt: number }[] }>(
      "/api/runs?limit=1",
    );
    assert.equal(items[0]?.state, "succeeded");
    assert.ok((items[0]?.attempt ?? 0) >= 2);
    await studio.close();
  });

  test("the server dies while it streams: the page reconnects and the answer ends whole", async () => {
    const studio = await Studio.begin(browser, app);
    await studio.begun("Tell me a long story about a river.");
    await app.crash();
    await app.up();
    await studio.answered();
    const { items } = await app.api<{ items: { id: string }[] }>("/api/runs?limit=1");
    const run = await app.api<{ result: { lanes: { text: string }[] } }>(`/api/runs/${items[0]?.id}`);
    const told = run.result.lanes[1]?.text.replace(/\s+/g, "") ?? "?";
    const shown = (await studio.lane("Tuned").innerText()).replace(/\s+/g, "");
    assert.ok(shown.includes(told), `shown: ${shown}\nkept: ${told}`);
    await studio.page.context().close(); // the console tells of refused connections while the server was away
  });
});
