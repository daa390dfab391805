/** One self-contained HTML file: both answers, what differs, recipe, settings. It asks nothing of any network and
 *  runs no script. Knows no page; the words in the reader's language are given to it. */

import { changedSpans } from "./diff";
import { formatGain, formatKnob, fromJson, KNOBS, neutralOf, type RecipeJson } from "./recipe";

export interface Words {
  lang: string;
  title: string;
  prompt: string;
  original: string;
  tuned: string;
  change: string;
  recipe: string;
  settings: string;
  layer: string;
  made: string;
}

export interface Kept {
  model: string;
  revision: string;
  dtype: string;
  prompt: string;
  base: string;
  tuned: string;
  recipe: RecipeJson;
  settings: Record<string, unknown>;
  facts: [string, string][];
  command: string;
}

const ENTITIES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (c) => ENTITIES[c] ?? c);

export function marked(base: string, tuned: string): string {
  let html = "";
  let at = 0;
  for (const { from, to } of changedSpans(base, tuned)) {
    html += `${escapeHtml(tuned.slice(at, from))}<mark>${escapeHtml(tuned.slice(from, to))}</mark>`;
    at = to;
  }
  return html + escapeHtml(tuned.slice(at));
}

const STYLE = `
:root{color-scheme:light dark;--ground:#f5f7fc;--surface:#fff;--line:#d7dfef;--text:#14213d;--quiet:#5a6b8c;--attn:#b26a00;--mlp:#0077a8;--eps:#6d4fc4;--tone:#c03380;--style:#637a00;--mark:#ffe2ad}
@media (prefers-color-scheme:dark){:root{--ground:#0b1428;--surface:#111d38;--line:#26385f;--text:#eaf0ff;--quiet:#93a4c8;--attn:#ffb627;--mlp:#4cc9f0;--eps:#b79cff;--tone:#ff8ac4;--style:#c3dc5a;--mark:#4a4133}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1080px;padding:32px 20px;background:var(--ground);color:var(--text);font:15px/1.6 Pretendard,system-ui,sans-serif}
h1{font-size:22px;margin:0 0 4px}h2{font-size:15px;margin:0 0 10px}small,dt{color:var(--quiet)}
.lanes{display:grid;grid-template-columns:repeat(auto-fit,minmax(300px,1fr));gap:16px;margin:20px 0}
section{background:var(--surface);border:1px solid var(--line);border-radius:16px;padding:18px}section.tuned{border-color:var(--attn)}
.answer{font-size:17px;line-height:1.65;white-space:pre-wrap;overflow-wrap:anywhere;margin:0}
mark{background:var(--mark);color:inherit;border-radius:3px;text-decoration:underline;text-decoration-thickness:1px;text-underline-offset:4px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:4px 16px;margin:0}dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}
.attn{color:var(--attn)}.mlp{color:var(--mlp)}.eps{color:var(--eps)}.tone{color:var(--tone)}.style{color:var(--style)}.knob{font-weight:700}
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--ground);border:1px solid var(--line);border-radius:12px;padding:12px;font-size:13px}`.trim();

export const terms = (rows: [string, string][]): string =>
  `<dl>${rows.map(([t, d]) => `<dt>${escapeHtml(t)}</dt><dd>${escapeHtml(d)}</dd>`).join("")}</dl>`;

export function recipeHtml(
  recipe: RecipeJson,
  words: Pick<Words, "layer">,
  names?: readonly string[],
): string {
  const shown = KNOBS.filter((name) => neutralOf(name) === 1 || recipe[name] !== undefined);
  const knobs = shown.map(
    (name) =>
      `<dt class="knob ${name}">${name.toUpperCase()}</dt><dd>${escapeHtml(formatKnob(name, recipe[name] ?? neutralOf(name)))}</dd>`,
  );
  const points = Object.entries(recipe.points ?? {}).map(
    ([key, value]) => `<dt>${escapeHtml(key)}</dt><dd>${escapeHtml(formatGain(value))}</dd>`,
  );
  const deltas = Object.entries(fromJson(recipe).deltas).flatMap(([id, { strength, bands: own }]) => [
    `<dt class="knob delta">${escapeHtml(id)}</dt><dd>${escapeHtml(formatGain(strength))}</dd>`,
    ...bandsHtml(own, words, names, `${id} · `),
  ]);
  return `<dl>${[...knobs, ...deltas, ...bandsHtml(recipe.bands ?? {}, words, names), ...points].join("")}</dl>`;
}

function bandsHtml(
  bands: Record<string, number[]>,
  words: Pick<Words, "layer">,
  names?: readonly string[],
  of = "",
): string[] {
  return Object.entries(bands).map(
    ([name, band]) =>
      `<dt class="knob ${escapeHtml(name)}">${escapeHtml(of + name.toUpperCase())} · ${escapeHtml(words.layer)}</dt><dd>${escapeHtml(
        band
          .map((v, i) => (v === 1 ? "" : `${names?.[i] ?? i}: ${formatGain(v)}`))
          .filter(Boolean)
          .join(", "),
      )}</dd>`,
  );
}

/** The whole document around a body; `images`: where pictures may come from. */
export function documentHtml(words: Pick<Words, "lang" | "title">, body: string, images = ""): string {
  const e = escapeHtml;
  return `<!doctype html>
<html lang="${e(words.lang)}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'${images && `; img-src ${images}`}">
<meta name="generator" content="I'm Fine">
<title>${e(words.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<main>
${body}
</main>
</body>
</html>
`;
}

export function exportHtml(kept: Kept, words: Words): string {
  const e = escapeHtml;
  return documentHtml(
    words,
    `<h1>${e(words.title)}</h1>
<small>${e(`${kept.model} · ${kept.revision} · ${kept.dtype}`)}</small>
<section style="margin-top:20px"><h2>${e(words.prompt)}</h2><p class="answer">${e(kept.prompt)}</p></section>
<div class="lanes">
<section><h2>${e(words.original)}</h2><p class="answer">${e(kept.base)}</p></section>
<section class="tuned"><h2>${e(words.tuned)}</h2><p class="answer">${marked(kept.base, kept.tuned)}</p><p><small>${e(words.change)}</small></p></section>
</div>
<div class="lanes">
<section><h2>${e(words.recipe)}</h2>${recipeHtml(kept.recipe, words)}</section>
<section><h2>${e(words.settings)}</h2>${terms([...kept.facts, ...Object.entries(kept.settings).map(([k, v]): [string, string] => [k, JSON.stringify(v)])])}</section>
</div>
<pre>${e(kept.command)}</pre>
<small>${e(words.made)}</small>`,
  );
}
