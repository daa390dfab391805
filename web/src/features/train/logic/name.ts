/** What the new model is called: what can be a name, and one to begin with. Knows no server. */

export const NAME_LENGTH = 64;

/** As a folder of a model may be called: letters and digits of any script first, then spaces and + - _ . too. */
export const isName = (name: string): boolean =>
  name.length <= NAME_LENGTH && /^[\p{L}\p{N}_][\p{L}\p{N}_. +-]*$/u.test(name) && name === name.trim();

/** "smollm2-135m-captain", with a number behind it where there is one already. */
export function suggestName(model: string, dataset: string, taken: readonly string[]): string {
  const stem = (text: string) =>
    text
      .replace(/\.[a-z]{2,7}$/i, "")
      .replace(/[^\p{L}\p{N}_.+-]+/gu, "-")
      .replace(/^[^\p{L}\p{N}_]+|-+$/gu, "");
  const base = [stem(model.split("/").at(-1) ?? model), stem(dataset)].filter(Boolean).join("-");
  const short = base.slice(0, NAME_LENGTH - 4).replace(/[-. ]+$/, "") || "trained";
  for (let n = 1; ; n++) {
    const name = n === 1 ? short : `${short}-${n}`;
    if (!taken.includes(name)) return name;
  }
}
