/** Debian's Firefox ESR, driven by Puppeteer over WebDriver BiDi. */
import puppeteer, { type ElementHandle, type KeyInput } from "puppeteer-core";
import { type Driver, driver, program, SIZE } from "./driver.ts";

export async function openFirefox(): Promise<Driver> {
  const browser = await puppeteer.launch({
    browser: "firefox",
    executablePath: program("/usr/bin/firefox-esr", "/usr/bin/firefox", "/snap/bin/firefox"),
    headless: true,
    defaultViewport: SIZE,
    extraPrefsFirefox: { "intl.accept_languages": "en-US", "app.update.enabled": false },
  });
  const page = await browser.newPage();
  return driver<ElementHandle<Element>>(
    {
      element: async (source) =>
        (await page.evaluateHandle(source)).asElement() as ElementHandle<Element> | null,
      evaluate: async <T>(source: string) => (await page.evaluate(source)) as T,
      click: (element) => element.click(),
      type: async (element, text) => {
        await element.focus();
        await page.keyboard.down("Control");
        await page.keyboard.press("a");
        await page.keyboard.up("Control");
        await page.keyboard.type(text);
      },
      press: (element, key) => element.press(key as KeyInput),
      attribute: (element, name) => element.evaluate((node, wanted) => node.getAttribute(wanted), name),
    },
    {
      goto: async (url) => void (await page.goto(url)),
      screenshot: async (path) => void (await page.screenshot({ path: path as `${string}.png` })),
      close: () => browser.close(),
    },
  );
}
