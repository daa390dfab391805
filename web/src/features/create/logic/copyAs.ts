/** The same setting in other words: a command, Python, curl, JSON. Knows no page. */

import type { ImageJson } from "@/api/pictures";
import { bandNames, fromJson, KNOBS, neutralOf, type RecipeJson, toJson } from "./recipe";
import type { Sampling } from "./sampling";

/** Words are sampled, pictures are made: the part of a request that is its kind's. */
export type How = { sampling: Partial<Sampling> } | { image: ImageJson };

export interface Asked {
  model: string;
  prompt: string;
  recipe: RecipeJson;
  how: How;
  bands?: readonly string[]; // what the bands are called, where they have names
}

/** Quoted for a POSIX shell. */
export const shell = (text: string): string =>
  /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;

const jsonOf = ({ model, prompt, recipe, how }: Asked): Record<string, unknown> => ({
  kind: "generate",
  model,
  prompt,
  recipe: toJson(fromJson(recipe)),
  ...how,
  lanes: ["base", "tuned"],
});

function flagsOf(how: How): string[] {
  if ("sampling" in how)
    return Object.entries(how.sampling).flatMap(([name, value]) => flag(name.replaceAll("_", "-"), value));
  const { width, height, previews: _, ...rest } = how.image;
  const size = width && height ? flag("size", `${width}x${height}`) : [];
  return [...Object.entries(rest).flatMap(([name, value]) => flag(name, value)), ...size, "--out pictures"];
}

function flag(name: string, value: unknown): string[] {
  if (value === true) return [`--${name}`];
  if (value === false || value === null || value === undefined) return [];
  return [value].flat().map((one) => `--${name} ${shell(String(one))}`);
}

export function asCommand({ model, prompt, recipe, how, bands }: Asked): string {
  const parts = [`imfine tune ${shell(model)}`, `--prompt ${shell(prompt)}`];
  for (const name of KNOBS) {
    const value = recipe[name];
    if (value !== undefined && value !== neutralOf(name)) parts.push(`--${name} ${value}`);
  }
  for (const [name, band] of Object.entries(recipe.bands ?? {})) {
    const names = bands ?? bandNames({ layers: band.length });
    band.forEach((value, layer) => {
      if (value !== 1) parts.push(`--band ${name}:${names[layer]}=${value}`);
    });
  }
  for (const [key, value] of Object.entries(recipe.points ?? {})) parts.push(`--point ${key}=${value}`);
  for (const [id, { strength, bands: own }] of Object.entries(fromJson(recipe).deltas)) {
    parts.push(`--delta ${shell(`${id}=${strength}`)}`);
    for (const [name, band] of Object.entries(own)) {
      const names = bands ?? bandNames({ layers: band.length });
      band.forEach((value, layer) => {
        if (value !== 1) parts.push(`--delta ${shell(`${id}:${name}:${names[layer]}=${value}`)}`);
      });
    }
  }
  return [...parts, ...flagsOf(how)].join(" \\\n  ");
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

export function asPython({ model, prompt, recipe, how }: Asked): string {
  const lines = ["import imfine", "", `model = imfine.load(${python(model)})`, "for event in model.compare("];
  lines.push(`    ${python(prompt)},`);
  for (const [key, value] of Object.entries(toJson(fromJson(recipe))))
    lines.push(`    ${key}=${python(value)},`);
  for (const [key, value] of Object.entries(how)) lines.push(`    ${key}=${python(value)},`);
  lines.push("):", "    print(event)", "");
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
