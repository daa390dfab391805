/** Bands by the name they share: IN00 … IN11 are one stretch, numbers alone are none. Knows names, no model. */

export interface Section {
  name: string;
  from: number;
  to: number; // the last band, inclusive
}

const PREFIX = /^([A-Z]+)\d*$/;

export function sectionsOf(names: readonly string[]): Section[] {
  const sections: Section[] = [];
  for (const [index, name] of names.entries()) {
    const prefix = PREFIX.exec(name)?.[1];
    if (prefix === undefined) continue;
    const last = sections.at(-1);
    if (last && last.name === prefix && last.to === index - 1) last.to = index;
    else sections.push({ name: prefix, from: index, to: index });
  }
  return sections;
}
