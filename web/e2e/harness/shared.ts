/** One `imfine up` and one Chromium for all tests that leave both as they are. */
import { after } from "node:test";
import type { Browser } from "playwright-core";
import { App } from "./app.ts";
import { launchChromium } from "./chromium.ts";

type Shared = { app: App; browser: Browser };

let opened: Promise<Shared> | undefined;

export function shared(): Promise<Shared> {
  opened ??= open();
  return opened;
}

async function open(): Promise<Shared> {
  const app = await App.start();
  return { app, browser: await launchChromium() };
}

after(async () => {
  if (opened === undefined) return;
  const { app, browser } = await opened;
  await browser.close();
  await app.close();
});
