/** Draws docs/images anew from a running app: every screen, both languages and themes, desktop and phone.
 * `make shots` runs it. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { App, ROOT } from "./harness/app.ts";
import { launchChromium } from "./harness/chromium.ts";
import { Studio } from "./harness/studio.ts";

const IMAGES = join(ROOT, "docs/images");
const DESKTOP: BrowserContextOptions = { viewport: { width: 1440, height: 960 } };
const PHONE: BrowserContextOptions = {
  viewport: { width: 390, height: 844 },
  deviceScaleFactor: 2,
  isMobile: true,
  hasTouch: true,
};
const PROMPT = "I want to be a superman.";

/** Waits until the last move has been answered. */
async function heard(studio: Studio): Promise<void> {
  await studio.page.waitForTimeout(400); // the move is asked for
  await studio.answered();
}

/** A hill over the middle layers, drawn with the mouse. */
async function drawCurve({ page }: Studio, band: string, height: number): Promise<void> {
  const chart = page.getByRole("slider", { name: new RegExp(`^${band} (band|밴드)`) });
  await chart.scrollIntoViewIfNeeded();
  const box = await chart.boundingBox();
  if (!box) throw new Error(`no chart of ${band}`);
  const at = (share: number): [number, number] => [
    box.x + box.width * share,
    box.y + box.height * (0.5 + (height - 0.5) * Math.sin(Math.PI * share) ** 2),
  ];
  await page.mouse.move(...at(0.1));
  await page.mouse.down();
  for (let step = 1; step <= 40; step++) await page.mouse.move(...at(0.1 + 0.02 * step));
  await page.mouse.up();
}

async function draw(browser: Browser, app: App, name: string, options: BrowserContextOptions): Promise<void> {
  const studio = await Studio.open(browser, app, { ...options, reducedMotion: "reduce" });
  const { page } = studio;
  const shot = (screen: string) => page.screenshot({ path: join(IMAGES, `${screen}-${name}.png`) });
  const start = page.getByRole("button", { name: /Start with this model|이 모델로 시작하기/ });
  await start.waitFor();
  await shot("choose");
  await start.click();
  await studio.ask(PROMPT);
  for (const key of ["ArrowRight", "ArrowRight"]) await studio.knob("ATTN").press(key);
  await heard(studio);
  await studio.knob("MLP").press("ArrowRight");
  await heard(studio);
  await page.getByText(/^(Equalizer|이퀄라이저)$/).click();
  for (const [band, height] of Object.entries({ ATTN: 0.57, MLP: 0.46 }))
    await drawCurve(studio, band, height);
  await heard(studio);
  await page.evaluate("window.scrollTo(0, 0)");
  await shot("create");
  await page
    .getByRole("link", { name: /^(Train|학습)$/ })
    .first()
    .click();
  await page.getByRole("heading", { name: /^(Examples to learn from|보고 배울 예시)$/ }).waitFor();
  await page.locator("input[type=file]").setInputFiles(join(ROOT, "examples/aim/aim.jsonl"));
  await page.getByText(/^(As the model reads it|모델이 읽는 모습)$/).waitFor({ timeout: 60_000 });
  await page.waitForTimeout(1500); // the plan follows the data
  await page.getByText(/it fits|넉넉해요/).waitFor({ timeout: 60_000 });
  await page.evaluate("window.scrollTo(0, 0)");
  await shot("train");
  for (const [screen, link] of [
    ["jobs", /^(Jobs|작업)$/],
    ["models", /^(Models|모델)$/],
  ] as const) {
    await page.getByRole("link", { name: link }).first().click();
    await page.getByRole("heading", { level: 1, name: link }).waitFor();
    await page.waitForTimeout(500); // the list's first page
    await shot(screen);
  }
  await page
    .getByRole("button", { name: /emoji-diffusion/ })
    .first()
    .click();
  await page.getByRole("slider", { name: "TONE", exact: true }).waitFor(); // its page is there
  await studio.prompt.fill(name.endsWith("ko") ? "웃는 고양이" : "smiling cat");
  await page.getByRole("slider", { name: "TONE", exact: true }).press("PageUp");
  await page.getByRole("slider", { name: "ATTN", exact: true }).first().press("PageUp");
  await page.waitForTimeout(400); // the move is asked for
  await page.getByRole("button", { name: /^(Draw|그리기)$/ }).waitFor({ timeout: 60_000 });
  await page.locator('section[data-kind=tuned]:not([data-stale]) img[src^="/api/artifacts/"]').waitFor();
  await page.evaluate("window.scrollTo(0, 0)");
  await shot("pictures");
  await studio.close();
}

mkdirSync(IMAGES, { recursive: true });
const app = await App.start();
const browser = await launchChromium();
try {
  for (const [language, locale] of [
    ["", "en-US"],
    ["-ko", "ko-KR"],
  ] as const)
    for (const colorScheme of ["dark", "light"] as const) {
      await draw(browser, app, `${colorScheme}${language}`, { ...DESKTOP, locale, colorScheme });
      await draw(browser, app, `phone-${colorScheme}${language}`, { ...PHONE, locale, colorScheme });
    }
} finally {
  await browser.close();
  await app.close();
}
