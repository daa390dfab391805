/** One small interface over three browsers, for the main path. Knows no browser and no screen. */
import { existsSync } from "node:fs";
import { until } from "./app.ts";
import { findByRole, pageText } from "./find.ts";

export interface Driver {
  goto(url: string): Promise<void>;
  click(role: string, name: string): Promise<void>;
  /** Replaces what a text field holds. */
  fill(name: string, text: string): Promise<void>;
  /** Presses a key (as KeyboardEvent.key names it) on an element. */
  press(role: string, name: string, key: string): Promise<void>;
  /** Text of the first element that matches, "" where there is none. */
  text(selector: string): Promise<string>;
  attribute(role: string, name: string, attribute: string): Promise<string | null>;
  waitForText(text: string | RegExp, ms?: number): Promise<void>;
  screenshot(path: string): Promise<void>;
  close(): Promise<void>;
}

const FIND_MS = 15_000;
export const SIZE = { width: 1280, height: 900 };

/** The first of these programs that is there. */
export function program(...paths: string[]): string {
  const found = paths.find((path) => existsSync(path));
  if (!found) throw new Error(`None of ${paths.join(", ")} is there; \`make test\` installs or names it.`);
  return found;
}

/** What a browser must offer for all the rest to be the same. */
export interface Primitives<E> {
  /** `source` is an expression; what it gives is an element, or null. */
  element(source: string): Promise<E | null>;
  evaluate<T>(source: string): Promise<T>;
  click(element: E): Promise<void>;
  type(element: E, text: string): Promise<void>;
  press(element: E, key: string): Promise<void>;
  attribute(element: E, name: string): Promise<string | null>;
}

export function driver<E>(
  browser: Primitives<E>,
  rest: Pick<Driver, "goto" | "screenshot" | "close">,
): Driver {
  const find = async (role: string, name: string): Promise<E> => {
    try {
      return await until(FIND_MS, () =>
        browser.element(`(${findByRole})(${JSON.stringify(role)}, ${JSON.stringify(name)})`),
      );
    } catch {
      const text = await browser.evaluate<string>(`(${pageText})()`);
      throw new Error(`no ${role} named ${JSON.stringify(name)} on a page that says:\n${text}`);
    }
  };
  return {
    ...rest,
    click: async (role, name) => browser.click(await find(role, name)),
    press: async (role, name, key) => browser.press(await find(role, name), key),
    fill: async (name, text) => browser.type(await find("textbox", name), text),
    attribute: async (role, name, attribute) => browser.attribute(await find(role, name), attribute),
    text: (selector) =>
      browser.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ""`),
    waitForText: async (text, ms = 30_000) => {
      let whole = "";
      const said = async (): Promise<boolean> => {
        whole = await browser.evaluate<string>(`(${pageText})()`);
        return text instanceof RegExp ? text.test(whole) : whole.includes(text);
      };
      await until(ms, said).catch(() => {
        throw new Error(`${text} did not appear within ${ms} ms; the page says:\n${whole}`);
      });
    },
  };
}
