/** From the slider's move to the first new token on the screen, with the starter warm: `node latency.ts` on a machine
 *  that does nothing else. */
import { App } from "./harness/app.ts";
import { launchChromium } from "./harness/chromium.ts";
import { Studio } from "./harness/studio.ts";

const MOVES = 40;

/** In the page: presses the key and resolves with the ms until the tuned lane shows the new answer's first token. */
const MEASURE = `(key) => new Promise((done, fail) => {
  const slider = [...document.querySelectorAll("[role=slider]")].find((one) => one.getAttribute("aria-label") === "ATTN");
  const lane = document.querySelector("section[data-kind=tuned]");
  const since = performance.now();
  let stale = false;
  const look = () => {
    if (lane.hasAttribute("data-stale")) stale = true;
    else if (stale) { watch.disconnect(); requestAnimationFrame(() => done(performance.now() - since)); }
  };
  const watch = new MutationObserver(look);
  watch.observe(lane, { subtree: true, childList: true, characterData: true, attributes: true });
  setTimeout(() => { watch.disconnect(); fail(new Error("no new token within 5 s")); }, 5000);
  slider.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  slider.dispatchEvent(new KeyboardEvent("keyup", { key, bubbles: true }));
})`;

const app = await App.start();
const browser = await launchChromium();
try {
  const studio = await Studio.begin(browser, app);
  await studio.ask("I want to be a superman.");
  const times: number[] = [];
  for (let move = 0; move < MOVES; move++) {
    const key = move % 12 < 6 ? "ArrowRight" : "ArrowLeft";
    times.push(await studio.page.evaluate<number>(`(${MEASURE})("${key}")`));
    await studio.page.waitForTimeout(move % 3 === 0 ? 900 : 150); // some moves come while the last answer still streams
  }
  times.sort((a, b) => a - b);
  const at = (share: number): number => Math.round(times[Math.floor(share * (times.length - 1))] ?? 0);
  const told = { moves: MOVES, median_ms: at(0.5), p95_ms: at(0.95), max_ms: at(1) };
  process.stdout.write(`${JSON.stringify(told)}\n`);
  await studio.close();
} finally {
  await browser.close();
  await app.close();
}
