/** What was asked of the weights, in the one canonical JSON form the server and the command line use.
 *  Knows no page, no store and no model beyond the few numbers of `Layout`. */

import { round4 } from "@/shared/typed";

/** Gains, each with a band a layer; neutral at 1. */
export type BandName = "attn" | "mlp" | "eps";
/** The gains and, for pictures, what shifts both ways; neutral at 0. */
export type KnobName = BandName | "tone" | "style";
export const BANDS: readonly BandName[] = ["attn", "mlp", "eps"];
export const KNOBS: readonly KnobName[] = [...BANDS, "tone", "style"];

const NEUTRAL_AT: Record<KnobName, 0 | 1> = { attn: 1, mlp: 1, eps: 1, tone: 0, style: 0 };
export const neutralOf = (name: KnobName): 0 | 1 => NEUTRAL_AT[name];

export interface Recipe extends Record<KnobName, number> {
  bands: Partial<Record<BandName, number[]>>;
  points: Record<string, number>;
  deltas: Record<string, DeltaKnob>; // by id; one at 0 is laid out on the page and says nothing
}

export type RecipeJson = Partial<Omit<Recipe, "deltas">> & { deltas?: Record<string, DeltaJson> };

/** How far towards what was trained: 0 the original, 1 all the way; in a layer, times its band there. */
export type DeltaBand = "attn" | "mlp";
export const DELTA_BANDS: readonly DeltaBand[] = ["attn", "mlp"];
export interface DeltaKnob {
  strength: number;
  bands: Partial<Record<DeltaBand, number[]>>;
}
export type DeltaJson = number | Partial<DeltaKnob>;

/** What of a model's layout the page needs to draw and check a recipe. */
export interface Layout {
  kind?: "text" | "image";
  layers: number;
  band_names?: string[];
  heads?: number;
  kv_heads?: number;
  eps: number;
  points: string[];
  qk_norm?: boolean;
  eps_knob_max: number;
  knobs?: string[];
  image?: unknown; // what of its pictures a model states
  deltas?: readonly string[]; // ids
}

/** What the bands are called: layers by their number, a UNet's blocks by the community's names. */
export const bandNames = ({ layers, band_names }: Pick<Layout, "layers" | "band_names">): string[] =>
  band_names ?? Array.from({ length: layers }, (_, layer) => String(layer));

/** The knobs a layout has; a language model's three where it does not say. */
export const knobsOf = ({ knobs }: Pick<Layout, "knobs">): KnobName[] =>
  KNOBS.filter((name) => (knobs ?? (BANDS as readonly string[])).includes(name));

export const NEUTRAL: Recipe = { ...NEUTRAL_AT, bands: {}, points: {}, deltas: {} };
export const GAIN_MAX = 4;

/** Gains are kept to four decimals: 0.1 + 0.2 must not make another recipe than 0.3. */
export function fromJson(json: RecipeJson | null | undefined): Recipe {
  return {
    ...NEUTRAL_AT,
    ...Object.fromEntries(KNOBS.flatMap((name) => (json?.[name] == null ? [] : [[name, json[name]]]))),
    bands: { ...(json?.bands ?? {}) },
    points: { ...(json?.points ?? {}) },
    deltas: Object.fromEntries(
      Object.entries(json?.deltas ?? {}).map(([id, delta]) => [
        id,
        typeof delta === "number"
          ? { strength: delta, bands: {} }
          : { strength: delta.strength ?? 0, bands: { ...delta.bands } },
      ]),
    ),
  };
}

function deltasJson(deltas: Recipe["deltas"]): Record<string, DeltaJson> {
  const out: Record<string, DeltaJson> = {};
  for (const id of Object.keys(deltas).sort()) {
    const { strength, bands } = deltas[id] ?? { strength: 0, bands: {} };
    if (strength === 0) continue;
    const turned = DELTA_BANDS.flatMap((part) => {
      const band = bands[part];
      return band?.some((v) => v !== 1) ? [[part, band.map(round4)] as const] : [];
    });
    out[id] =
      turned.length > 0
        ? { bands: Object.fromEntries(turned), strength: round4(strength) }
        : round4(strength);
  }
  return out;
}

/** Neutral parts left out, keys sorted: two recipes that do the same have the same JSON. */
export function toJson(recipe: Recipe): RecipeJson {
  const out: RecipeJson = {};
  if (recipe.attn !== 1) out.attn = round4(recipe.attn);
  const bands: Recipe["bands"] = {};
  for (const name of ["attn", "eps", "mlp"] as const) {
    const band = recipe.bands[name];
    if (band?.some((v) => v !== 1)) bands[name] = band.map(round4);
  }
  if (Object.keys(bands).length > 0) out.bands = bands;
  const deltas = deltasJson(recipe.deltas);
  if (Object.keys(deltas).length > 0) out.deltas = deltas;
  if (recipe.eps !== 1) out.eps = round4(recipe.eps);
  if (recipe.mlp !== 1) out.mlp = round4(recipe.mlp);
  const points: Record<string, number> = {};
  for (const key of Object.keys(recipe.points).sort()) {
    const value = recipe.points[key];
    if (value !== undefined && value !== 1) points[key] = round4(value);
  }
  if (Object.keys(points).length > 0) out.points = points;
  if (recipe.style !== 0) out.style = round4(recipe.style);
  if (recipe.tone !== 0) out.tone = round4(recipe.tone);
  return out;
}

export const keyOf = (recipe: Recipe): string => JSON.stringify(toJson(recipe));
export const isNeutral = (recipe: Recipe): boolean => keyOf(recipe) === "{}";

export const bandOf = (recipe: Recipe, name: BandName, layers: number): number[] =>
  recipe.bands[name] ?? Array.from({ length: layers }, () => 1);

export function withKnob(recipe: Recipe, name: KnobName, value: number): Recipe {
  return { ...recipe, [name]: round4(value) };
}

export function withBand(recipe: Recipe, name: BandName, values: number[]): Recipe {
  const bands = { ...recipe.bands };
  if (values.every((v) => v === 1)) delete bands[name];
  else bands[name] = values.map(round4);
  return { ...recipe, bands };
}

export function withPoint(recipe: Recipe, key: string, value: number): Recipe {
  const points = { ...recipe.points };
  if (value === 1) delete points[key];
  else points[key] = round4(value);
  return { ...recipe, points };
}

/** `bands` 1 all over is no band; `null` takes the delta's knob away. */
export function withDelta(recipe: Recipe, id: string, change: Partial<DeltaKnob> | null): Recipe {
  const { [id]: before, ...others } = recipe.deltas;
  if (change === null) return { ...recipe, deltas: others };
  const { strength, bands } = { strength: 0, bands: {}, ...before, ...change };
  return { ...recipe, deltas: { ...others, [id]: { strength: round4(strength), bands } } };
}

export const deltaBandOf = (recipe: Recipe, id: string, part: DeltaBand, layers: number): number[] =>
  recipe.deltas[id]?.bands[part] ?? Array.from({ length: layers }, () => 1);

export function withDeltaBand(recipe: Recipe, id: string, part: DeltaBand, values: number[]): Recipe {
  const { [part]: _, ...bands } = { ...recipe.deltas[id]?.bands };
  const turned = values.some((v) => v !== 1) ? { ...bands, [part]: values.map(round4) } : bands;
  return withDelta(recipe, id, { bands: turned });
}

/** Solo keeps only its layers' bands, mute sets a layer's attention and MLP to 0; mute wins over solo. */
export function compile(recipe: Recipe, muted: number[], soloed: number[], layers: number): Recipe {
  if (layers === 0 || (muted.length === 0 && soloed.length === 0)) return recipe;
  let out = recipe;
  for (const name of BANDS) {
    const band = bandOf(recipe, name, layers).map((v, layer) => {
      if (muted.includes(layer) && name !== "eps") return 0;
      return soloed.length > 0 && !soloed.includes(layer) ? 1 : v;
    });
    out = withBand(out, name, band);
  }
  return out;
}

/** What of a recipe another model can take: bands of another length and points it lacks are left behind. */
export function fitRecipe(recipe: Recipe, layout: Layout): { recipe: Recipe; dropped: string[] } {
  const dropped: string[] = [];
  const bands: Recipe["bands"] = {};
  for (const name of BANDS) {
    const band = recipe.bands[name];
    if (!band) continue;
    if (band.length === layout.layers) bands[name] = band;
    else dropped.push(`bands.${name}`);
  }
  const points: Record<string, number> = {};
  for (const [key, value] of Object.entries(recipe.points)) {
    if (pointExists(key, layout)) points[key] = value;
    else dropped.push(key);
  }
  let eps = recipe.eps;
  if (eps > layout.eps_knob_max) {
    eps = round4(layout.eps_knob_max);
    dropped.push("eps");
  }
  const deltas: Recipe["deltas"] = {};
  for (const [id, delta] of Object.entries(recipe.deltas)) {
    const fits = Object.values(delta.bands).every((band) => band.length === layout.layers);
    if (fits && (layout.deltas?.includes(id) ?? true)) deltas[id] = delta;
    else dropped.push(id);
  }
  const knobs: Partial<Record<KnobName, number>> = {};
  for (const name of KNOBS) {
    if (recipe[name] === neutralOf(name) || knobsOf(layout).includes(name)) continue;
    knobs[name] = neutralOf(name);
    dropped.push(name);
  }
  return {
    recipe: dropped.length === 0 ? recipe : { ...recipe, eps, ...knobs, bands, points, deltas },
    dropped,
  };
}

/** `o`, `4.q`, `4.o.h3`; of a picture model `OUT04.q`, `q2`. */
export function pointExists(key: string, layout: Layout): boolean {
  const match = /^(?:(\w+)\.)?([a-z]+[12]?)(?:\.h(\d+))?$/.exec(key);
  const point = match?.[2];
  if (!match || !point || !layout.points.includes(point)) return false;
  if (match[1] !== undefined && !bandNames(layout).includes(match[1])) return false;
  if (match[3] === undefined) return true;
  if (match[1] === undefined) return false;
  const heads = point === "k" || point === "v" ? layout.kv_heads : layout.heads;
  return ["q", "k", "v", "o"].includes(point) && Number(match[3]) < (heads ?? 0);
}

export interface Short {
  knobs: { name: KnobName; value: number }[];
  deltas: { id: string; value: number }[];
  bands: number;
  points: number;
}

/** A recipe in a few words: its knobs and deltas, and how many layers and points beneath them are changed. */
export function short(json: RecipeJson): Short {
  const knobs = KNOBS.flatMap((name) => {
    const value = json[name];
    return value !== undefined && value !== neutralOf(name) ? [{ name, value }] : [];
  });
  const layers = new Set<number>();
  const deltas = Object.entries(fromJson(json).deltas).filter(([, { strength }]) => strength !== 0);
  const bands = [json.bands ?? {}, ...deltas.map(([, delta]) => delta.bands)];
  for (const band of bands.flatMap((each) => Object.values(each))) {
    band.forEach((v, layer) => {
      if (v !== 1) layers.add(layer);
    });
  }
  return {
    knobs,
    deltas: deltas.map(([id, { strength }]) => ({ id, value: strength })),
    bands: layers.size,
    points: Object.keys(json.points ?? {}).length,
  };
}

export const formatGain = (value: number): string =>
  Math.abs(value * 100 - Math.round(value * 100)) < 1e-6 ? value.toFixed(2) : String(round4(value));

/** A knob's value as it is shown: what shifts both ways bears its sign. */
export function formatKnob(name: KnobName, value: number): string {
  return neutralOf(name) === 1 ? formatGain(value) : formatSigned(value);
}

export const formatSigned = (value: number): string =>
  value === 0 ? formatGain(0) : `${value > 0 ? "+" : "−"}${formatGain(Math.abs(value))}`;
