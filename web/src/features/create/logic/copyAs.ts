/** The same setting in other words: a command, Python, curl, JSON. Knows no page. */

import { fromJson, KNOBS, type RecipeJson, toJson } from "./recipe";
import { type Sampling, toRequest } from "./sampling";

export interface Asked {
  model: string;
  prompt: string;
  recipe: RecipeJson;
  sampling: Sampling;
}

/** Quoted for a POSIX shell. */
export const shell = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

const jsonOf = ({ model, prompt, recipe, sampling }: Asked): Record<string, unknown> => ({
  kind: "generate",
  model,
  prompt,
  recipe: toJson(fromJson(recipe)),
  sampling: toRequest(sampling),
  lanes: ["base", "tuned"],
});

export function asCommand({ model, prompt, recipe, sampling }: Asked): string {
  const parts = [`imfine tune ${shell(model)}`, `--prompt ${shell(prompt)}`];
  for (const name of KNOBS) {
    const value = recipe[name];
    if (value !== undefined && value !== 1) parts.push(`--${name} ${value}`);
  }
  for (const [name, band] of Object.entries(recipe.bands ?? {}))
    band.forEach((value, layer) => {
      if (value !== 1) parts.push(`--band ${name}:${layer}=${value}`);
    });
  for (const [key, value] of Object.entries(recipe.points ?? {})) parts.push(`--point ${key}=${value}`);
  const asked = toRequest(sampling);
  for (const [name, value] of Object.entries(asked)) {
    const flag = `--${name.replaceAll("_", "-")}`;
    if (value === true) parts.push(flag);
    else if (Array.isArray(value)) for (const stop of value) parts.push(`${flag} ${shell(stop)}`);
    else if (value !== false) parts.push(`${flag} ${value}`);
  }
  return parts.join(" \\\n  ");
}

/** JSON as Python literals. */
export function python(value: unknown): string {
  if (value === true) return "True";
  if (value === false) return "False";
  if (value === null || value === undefined) return "None";
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (typeof value === "object")
    return `{${Object.entries(value)
      .map(([k, v]) => `${JSON.stringify(k)}: ${python(v)}`)
      .join(", ")}}`;
  return JSON.stringify(value);
}

export function asPython({ model, prompt, recipe, sampling }: Asked): string {
  const lines = ["import imfine", "", `model = imfine.load(${python(model)})`, "for event in model.compare("];
  lines.push(`    ${python(prompt)},`);
  for (const [key, value] of Object.entries(toJson(fromJson(recipe))))
    lines.push(`    ${key}=${python(value)},`);
  lines.push(`    sampling=${python(toRequest(sampling))},`, "):", "    print(event)", "");
  return lines.join("\n");
}

export const asJson = (asked: Asked): string => `${JSON.stringify(jsonOf(asked), null, 2)}\n`;

/** The token is not written out: it stays in the reader's own environment. */
export const asCurl = (asked: Asked, origin: string): string =>
  [
    `curl -X POST ${shell(`${origin}/api/runs`)}`,
    `-H "Authorization: Bearer $IMFINE_TOKEN"`,
    `-H 'Content-Type: application/json'`,
    `--data ${shell(JSON.stringify(jsonOf(asked)))}`,
  ].join(" \\\n  ");
