/** Sampling settings on one line, in the terms of the field and of the command line. */
export function samplingWords(sampling: Record<string, unknown>): string {
  const off: Record<string, unknown> = {
    greedy: false,
    top_k: 0,
    top_p: 1,
    min_p: 0,
    repetition_penalty: 1,
    no_repeat_ngram_size: 0,
    min_new_tokens: 0,
    raw: false,
  };
  const greedy = sampling.greedy === true;
  const idle = ["temperature", "top_k", "top_p", "min_p"]; // of no effect when the likeliest is taken
  return Object.entries(sampling)
    .filter(
      ([name, value]) =>
        value !== null && value !== off[name] && !(Array.isArray(value) && value.length === 0),
    )
    .filter(([name]) => !(greedy && idle.includes(name)))
    .map(([name, value]) =>
      value === true ? name : `${name} ${typeof value === "object" ? JSON.stringify(value) : value}`,
    )
    .join(" · ");
}
