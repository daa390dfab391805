/** Both pictures as one self-contained HTML file: it asks nothing of any network and runs no script. Knows no page. */
import { documentHtml, escapeHtml as e, recipeHtml, terms, type Words } from "../logic/exportHtml";
import type { RecipeJson } from "../logic/recipe";

export interface KeptPictures {
  model: string;
  prompt: string;
  base: string | null; // data: addresses
  tuned: string | null;
  recipe: RecipeJson;
  bands: readonly string[];
  settings: Record<string, unknown>;
  facts: [string, string][];
  command: string;
}

const figure = (kind: string, title: string, src: string | null, prompt: string): string =>
  src === null
    ? ""
    : `<section class="${kind}"><h2>${e(title)}</h2><img style="width:100%;image-rendering:auto" src="${e(src)}" alt="${e(prompt)}"></section>`;

export function exportPictures(kept: KeptPictures, words: Words): string {
  const settings = Object.entries(kept.settings).map(([k, v]): [string, string] => [k, JSON.stringify(v)]);
  return documentHtml(
    words,
    `<h1>${e(words.title)}</h1>
<section style="margin-top:20px"><h2>${e(words.prompt)}</h2><p class="answer">${e(kept.prompt)}</p></section>
<div class="lanes">
${figure("base", words.original, kept.base, kept.prompt)}
${figure("tuned", words.tuned, kept.tuned, kept.prompt)}
</div>
<p>${e(words.change)}</p>
<div class="lanes">
<section><h2>${e(words.recipe)}</h2>${recipeHtml(kept.recipe, words, kept.bands)}</section>
<section><h2>${e(words.settings)}</h2>${terms([...kept.facts, ...settings])}</section>
</div>
<pre>${e(kept.command)}</pre>
<small>${e(words.made)}</small>`,
    "data:",
  );
}

/** A picture of our server as a data: address. */
export async function inlined(url: string | null): Promise<string | null> {
  if (url === null) return null;
  const answer = await fetch(url, { credentials: "same-origin" });
  if (!answer.ok) throw new TypeError(`${url}: ${answer.status}`);
  const blob = await answer.blob();
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });
}
