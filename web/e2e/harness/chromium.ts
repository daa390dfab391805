/** Debian's Chromium, driven by Playwright. */
import { type Browser, type BrowserContextOptions, chromium, type ElementHandle } from "playwright-core";
import { type Driver, driver, program, SIZE } from "./driver.ts";

const PATHS = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/snap/bin/chromium",
  "/usr/bin/google-chrome",
];

export const ENGLISH: BrowserContextOptions = { locale: "en-US", viewport: SIZE };
export const KOREAN: BrowserContextOptions = { locale: "ko-KR", viewport: SIZE };

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: program(...PATHS),
    args: ["--no-sandbox", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
}

export async function openChromium(): Promise<Driver> {
  const browser = await launchChromium();
  const page = await (await browser.newContext(ENGLISH)).newPage();
  return driver<ElementHandle<Element>>(
    {
      element: async (source) =>
        (await page.evaluateHandle(source)).asElement() as ElementHandle<Element> | null,
      evaluate: (source) => page.evaluate(source),
      click: (element) => element.click(),
      type: (element, text) => element.fill(text),
      press: (element, key) => element.press(key),
      attribute: (element, name) => element.getAttribute(name),
    },
    {
      goto: async (url) => void (await page.goto(url)),
      screenshot: async (path) => void (await page.screenshot({ path })),
      close: () => browser.close(),
    },
  );
}
