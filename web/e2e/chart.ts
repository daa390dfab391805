/** How the loss chart of a run of 100,000 steps scrolls: `node chart.ts` on a machine that does nothing else. The run is
 *  a real one of three steps, to whose log the others are added while the server is away. */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { App, ROOT, until } from "./harness/app.ts";
import { launchChromium } from "./harness/chromium.ts";
import { told } from "./harness/moves.ts";
import { Studio } from "./harness/studio.ts";

const POINTS = 100_000;
const SECONDS = 5;
const LENGTHEN = `
import json, math, sys
from sqlalchemy import delete, select
from imfine.store.engine import Store
from imfine.store.events import Log
from imfine.store.tables import events
store, run, points = Store(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with store.write() as connection:
    old = [json.loads(row.data) for row in connection.execute(
        select(events.c.data).where(events.c.run_id == run).order_by(events.c.id))]
    connection.execute(delete(events).where(events.c.run_id == run))
    log = Log(connection)
    log.last_id += len(old)
    at = max(i for i, event in enumerate(old) if event["type"] == "train_steps") + 1
    steps = []
    for first in range(4, points, 50):
        each = list(range(first, min(first + 50, points + 1)))
        loss = [2 + math.cos(i * i) * .3 + 2 / (1 + i / 9000) for i in each]
        steps.append({"type": "train_steps", "steps": points, "step": each, "loss": loss, "lr": [1e-4] * len(each),
            "grad_norm": [.5] * len(each), "tokens": 100 * each[-1], "tokens_per_s": 321.5, "epoch": 1.0, "eta_s": 1.0})
    new = [*old[:at], *steps, *old[at:]]
    log.append(connection, run, None, 1, [{k: v for k, v in e.items() if k not in ("run", "attempt")} for e in new])
`;

/** In the page: moves the window at every frame, to and fro; resolves with the ms from frame to frame. */
const SCROLL = `(seconds) => new Promise((done) => {
  const chart = document.querySelector("[role=img][tabindex]");
  const times = [];
  const begin = performance.now();
  let before = begin;
  const frame = () => {
    const now = performance.now();
    times.push(now - before);
    before = now;
    if (now - begin > seconds * 1000) return done(times.slice(2));
    const key = times.length % 40 < 20 ? "ArrowRight" : "ArrowLeft";
    chart.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})`;

const app = await App.start();
const browser = await launchChromium();
try {
  const rows = await fetch(`${app.url}/api/datasets?name=sea.txt`, {
    method: "POST",
    headers: app.headers,
    body: Array.from({ length: 20 }, (_, n) => `The sea was calm on day ${n}.`).join("\n\n"),
  });
  const { id: dataset } = (await rows.json()) as { id: string };
  const plan = { method: "lora", steps: 3, batch: 1, length: 32 };
  const asked = { kind: "train", model: "smollm2-135m", name: "long", dataset, plan };
  const { id: run } = await app.api<{ id: string }>("/api/runs", asked);
  await until(120_000, async () => {
    const { state } = await app.api<{ state: string }>(`/api/runs/${run}`);
    if (state === "failed") throw new Error("the run failed");
    return state === "succeeded";
  });
  await app.stop();
  const database = `sqlite:///${join(app.home, "imfine.db")}`;
  execFileSync(join(ROOT, ".venv/bin/python"), ["-c", LENGTHEN, database, run, String(POINTS)]);
  await app.up();

  const { page } = await Studio.open(browser, app);
  await page.goto(`${app.url}/train?run=${run}`);
  const chart = page.locator("[role=img][tabindex]");
  await chart.waitFor();
  await page.waitForFunction((n) => document.body.innerText.includes(n), POINTS.toLocaleString("en"));
  for (const zoom of [0, 2, 5]) {
    await chart.focus();
    await page.keyboard.press("0");
    for (let i = 0; i < zoom; i++) await page.keyboard.press("+");
    const times = await page.evaluate<number[]>(`(${SCROLL})(${SECONDS})`);
    const slow = times.filter((ms) => ms > 1000 / 30 + 1).length;
    process.stdout.write(
      `pressed + ${zoom} times: ${JSON.stringify(told(times))}, ${(times.length / SECONDS).toFixed(0)} frames/s, ${slow} over 33 ms\n`,
    );
  }
} finally {
  await browser.close();
  await app.close();
}
