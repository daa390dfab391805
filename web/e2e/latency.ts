/** From the slider's move to the first new token on the screen, with the starter warm: `node latency.ts` on a machine
 *  that does nothing else. */
import { App } from "./harness/app.ts";
import { launchChromium } from "./harness/chromium.ts";
import { keyOf, PRESS, told } from "./harness/moves.ts";
import { Studio } from "./harness/studio.ts";

const MOVES = 40;

/** In the page: presses the key and resolves with the ms until the tuned lane shows the new answer's first token. */
const MEASURE = `(key) => new Promise((done, fail) => {
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
${PRESS}
})`;

const app = await App.start();
const browser = await launchChromium();
try {
  const studio = await Studio.begin(browser, app);
  await studio.ask("I want to be a superman.");
  const times: number[] = [];
  for (let move = 0; move < MOVES; move++) {
    times.push(await studio.page.evaluate<number>(`(${MEASURE})("${keyOf(move)}")`));
    await studio.page.waitForTimeout(move % 3 === 0 ? 900 : 150); // some moves come while the last answer still streams
  }
  process.stdout.write(`${JSON.stringify(told(times))}\n`);
  await studio.close();
} finally {
  await browser.close();
  await app.close();
}
