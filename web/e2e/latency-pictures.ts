/** From the slider's move to the first preview and to the finished picture on the screen, the original kept:
 *  `node latency-pictures.ts` on a machine that does nothing else. */
import { App } from "./harness/app.ts";
import { launchChromium } from "./harness/chromium.ts";
import { keyOf, PRESS, told } from "./harness/moves.ts";
import { Studio } from "./harness/studio.ts";

const MOVES = 20;

/** In the page: presses the key and resolves with the ms until the tuned lane shows the move's first preview, and its
 *  picture. A preview is a data: address, a picture an artifact's. */
const MEASURE = `(key) => new Promise((done, fail) => {
  const lane = document.querySelector("section[data-kind=tuned]");
  const source = () => lane.querySelector("img")?.getAttribute("src") ?? "";
  const since = performance.now(), before = source();
  let first = null;
  const look = () => {
    const now = source();
    if (now === before) return;
    if (first === null && !now.startsWith("/api/")) first = performance.now() - since;
    if (now.startsWith("/api/")) { watch.disconnect(); requestAnimationFrame(() => done([first, performance.now() - since])); }
  };
  const watch = new MutationObserver(look);
  watch.observe(lane, { subtree: true, childList: true, attributes: true });
  setTimeout(() => { watch.disconnect(); fail(new Error("no picture within 20 s")); }, 20000);
${PRESS}
})`;

const app = await App.start();
const browser = await launchChromium();
try {
  const studio = await Studio.open(browser, app);
  const { page } = studio;
  await page
    .getByRole("button", { name: /emoji-diffusion/ })
    .first()
    .click();
  await page.getByRole("slider", { name: "TONE", exact: true }).waitFor();
  await studio.prompt.fill("smiling cat");
  await page.getByRole("button", { name: "Draw", exact: true }).click();
  await page.locator('section[data-kind=tuned] img[src^="/api/artifacts/"]').waitFor({ timeout: 60_000 });
  await page.waitForTimeout(2000);
  const first: number[] = [];
  const last: number[] = [];
  for (let move = 0; move < MOVES; move++) {
    const [preview, picture] = await page.evaluate<[number | null, number]>(`(${MEASURE})("${keyOf(move)}")`);
    if (preview !== null) first.push(preview);
    last.push(picture);
    await page.waitForTimeout(800);
  }
  process.stdout.write(`${JSON.stringify({ first_preview: told(first), picture: told(last) })}\n`);
  await studio.close();
} finally {
  await browser.close();
  await app.close();
}
