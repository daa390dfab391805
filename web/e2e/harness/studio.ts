/** The Create page in Chromium, as most tests meet it: signed in, the starter chosen, every request watched.
 * Knows the page by its roles and English words. */
import assert from "node:assert/strict";
import type { Browser, BrowserContextOptions, Locator, Page } from "playwright-core";
import type { App } from "./app.ts";
import { ENGLISH } from "./chromium.ts";

export class Studio {
  readonly page: Page;
  /** What the page should not have done: requests to other hosts, errors in its console. */
  readonly wrongs: string[] = [];

  private constructor(page: Page, app: App) {
    this.page = page;
    page.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (!["data:", "blob:"].includes(protocol) && host !== new URL(app.url).host)
        this.wrongs.push(`request to ${request.url()}`);
    });
    page.on("pageerror", (error) => this.wrongs.push(`error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" && !/Failed to load resource/.test(message.text()))
        this.wrongs.push(`console: ${message.text()}`);
    });
  }

  static async open(browser: Browser, app: App, options: BrowserContextOptions = {}): Promise<Studio> {
    const context = await browser.newContext({ ...ENGLISH, ...options });
    const studio = new Studio(await context.newPage(), app);
    await studio.page.goto(app.address);
    return studio;
  }

  /** As `open`, with the starter chosen. */
  static async begin(browser: Browser, app: App, options: BrowserContextOptions = {}): Promise<Studio> {
    const studio = await Studio.open(browser, app, options);
    await studio.page.getByRole("button", { name: /Start with this model|이 모델로 시작하기/ }).click();
    await studio.prompt.waitFor();
    return studio;
  }

  get prompt(): Locator {
    return this.page.getByRole("textbox", { name: /^(Prompt|문장)/ });
  }

  knob(name: "EPS" | "ATTN" | "MLP"): Locator {
    return this.page.getByRole("slider", { name, exact: true }).first();
  }

  lane(name: "Original" | "Tuned"): Locator {
    const korean = { Original: "원본", Tuned: "조정" };
    return this.page.getByRole("region", { name: new RegExp(`^(${name}|${korean[name]})`) });
  }

  /** Both answers to `prompt`, whole. */
  async ask(prompt: string): Promise<void> {
    await this.prompt.fill(prompt);
    await this.page.getByRole("button", { name: /^(Answer|답 듣기)$/ }).click();
    await this.answered();
  }

  /** Waits until both lanes have ended, and show their own answer. */
  async answered(): Promise<void> {
    try {
      const again = this.page.getByRole("button", { name: /^(Answer|답 듣기)$/ });
      await again.waitFor({ timeout: 150_000 }); // a worker may have to start first
      for (const kind of ["base", "tuned"])
        await this.page
          .locator(`section[data-kind=${kind}][aria-busy=false]:not([data-stale])`)
          .getByText(/tokens\/s|토큰\/초/)
          .waitFor({ timeout: 20_000 });
    } catch {
      const lanes = await this.page
        .locator("section[data-kind]")
        .evaluateAll((all) => all.map((one) => one.outerHTML));
      throw new Error(
        `not answered; the page says:\n${await this.page.locator("main").innerText()}\n${lanes}`,
      );
    }
  }

  /** Asks, and returns while the answer is being said. */
  async begun(prompt: string): Promise<void> {
    await this.prompt.fill(prompt);
    await this.page.getByRole("button", { name: /^(Answer|답 듣기)$/ }).click();
    await this.page
      .locator("section[data-kind=tuned][aria-busy=true]")
      .getByText(/\d tokens?/)
      .waitFor({ timeout: 60_000 });
  }

  /** What the page says of the last move: "First change at token k" or "No token changed". */
  async change(): Promise<string> {
    const said = this.page.getByText(/First change at token \d+|No token changed/).first();
    await said.waitFor({ timeout: 60_000 });
    return said.innerText();
  }

  async close(): Promise<void> {
    await this.page.context().close();
    assert.deepEqual(this.wrongs, []);
  }
}
