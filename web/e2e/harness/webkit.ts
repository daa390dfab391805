/** WebKitGTK's MiniBrowser, the nearest to Safari on Debian, driven by Selenium. It has no headless mode:
 * `xvfb-run` gives its driver a screen. */
import { spawn } from "node:child_process";
import { globSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { Builder, Capabilities, Key, type WebElement } from "selenium-webdriver";
import { freePort, until } from "./app.ts";
import { type Driver, driver, program, SIZE } from "./driver.ts";

const KEYS: Record<string, string> = {
  ArrowRight: Key.ARROW_RIGHT,
  ArrowLeft: Key.ARROW_LEFT,
  PageUp: Key.PAGE_UP,
  Home: Key.HOME,
  End: Key.END,
  Enter: Key.ENTER,
};

const OPEN_MS = 45_000;

/** Now and then, on a busy machine, WebKit's driver starts a browser that never says it is there, or never opens a page:
 *  then once more. */
export async function openWebkit(): Promise<Driver> {
  try {
    return await open();
  } catch (error) {
    process.stderr.write(`WebKit did not open, once more: ${error}\n`);
    return open();
  }
}

async function open(): Promise<Driver> {
  const port = await freePort();
  const screen = `-screen 0 ${SIZE.width + 40}x${SIZE.height + 140}x24`;
  const service = spawn(
    "xvfb-run",
    ["-a", "-s", screen, program("/usr/bin/WebKitWebDriver"), `--port=${port}`],
    {
      env: { ...process.env, LANGUAGE: "en_US", LANG: "en_US.UTF-8", WEBKIT_DISABLE_COMPOSITING_MODE: "1" },
      stdio: "ignore",
      detached: true, // a group of its own: it ends with the screen and the browser
    },
  );
  const end = (): boolean => process.kill(-(service.pid ?? 0), "SIGTERM");
  try {
    return await within(OPEN_MS, start(port, end));
  } catch (error) {
    end();
    throw error;
  }
}

async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, fail) => {
    timer = setTimeout(() => fail(new Error(`not within ${ms} ms`)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

async function start(port: number, end: () => void): Promise<Driver> {
  const server = `http://127.0.0.1:${port}`;
  await until(20_000, () =>
    fetch(`${server}/status`).then(
      (answer) => answer.ok,
      () => false,
    ),
  );
  const capabilities = new Capabilities({
    browserName: "MiniBrowser",
    "webkitgtk:browserOptions": {
      binary: program(...globSync("/usr/lib/*/webkit2gtk-4.*/MiniBrowser")),
      args: ["--automation"],
    },
  });
  const session = await new Builder().usingServer(server).withCapabilities(capabilities).build();
  await session
    .manage()
    .window()
    .setRect({ x: 0, y: 0, ...SIZE });
  await session.get("data:text/html,<title>it opens pages</title>");
  return driver<WebElement>(
    {
      element: (source) => session.executeScript(`return ${source}`),
      evaluate: (source) => session.executeScript(`return ${source}`),
      click: (element) => element.click(),
      type: async (element, text) => {
        await element.clear();
        await element.sendKeys(text);
      },
      press: (element, key) => element.sendKeys(KEYS[key] ?? key),
      attribute: (element, name) => element.getAttribute(name),
    },
    {
      goto: (url) => session.get(url),
      screenshot: async (path) => writeFile(path, await session.takeScreenshot(), "base64"),
      close: async () => {
        await session.quit();
        end();
      },
    },
  );
}
