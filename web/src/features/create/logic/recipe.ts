/** What was asked of the weights, in the one canonical JSON form the server and the command line use.
 *  Knows no page, no store and no model beyond the few numbers of `Layout`. */

export type KnobName = "attn" | "mlp" | "eps";
export const KNOBS: readonly KnobName[] = ["attn", "mlp", "eps"];

export interface Recipe {
  eps: number;
  attn: number;
  mlp: number;
  bands: Partial<Record<KnobName, number[]>>;
  points: Record<string, number>;
}

export type RecipeJson = Partial<Recipe>;

/** What of a model's layout the page needs to draw and check a recipe. */
export interface Layout {
  layers: number;
  heads: number;
  kv_heads: number;
  eps: number;
  points: string[];
  qk_norm: boolean;
  eps_knob_max: number;
}

export const NEUTRAL: Recipe = { eps: 1, attn: 1, mlp: 1, bands: {}, points: {} };
export const GAIN_MAX = 4;

/** Gains are kept to four decimals: 0.1 + 0.2 must not make another recipe than 0.3. */
export const round4 = (x: number): number => Math.round(x * 1e4) / 1e4;

export function fromJson(json: RecipeJson | null | undefined): Recipe {
  return {
    eps: json?.eps ?? 1,
    attn: json?.attn ?? 1,
    mlp: json?.mlp ?? 1,
    bands: { ...(json?.bands ?? {}) },
    points: { ...(json?.points ?? {}) },
  };
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
  if (recipe.eps !== 1) out.eps = round4(recipe.eps);
  if (recipe.mlp !== 1) out.mlp = round4(recipe.mlp);
  const points: Record<string, number> = {};
  for (const key of Object.keys(recipe.points).sort()) {
    const value = recipe.points[key];
    if (value !== undefined && value !== 1) points[key] = round4(value);
  }
  if (Object.keys(points).length > 0) out.points = points;
  return out;
}

export const keyOf = (recipe: Recipe): string => JSON.stringify(toJson(recipe));
export const isNeutral = (recipe: Recipe): boolean => keyOf(recipe) === "{}";

export const bandOf = (recipe: Recipe, name: KnobName, layers: number): number[] =>
  recipe.bands[name] ?? Array.from({ length: layers }, () => 1);

export function withKnob(recipe: Recipe, name: KnobName, value: number): Recipe {
  return { ...recipe, [name]: round4(value) };
}

export function withBand(recipe: Recipe, name: KnobName, values: number[]): Recipe {
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

/** Solo keeps only its layers' bands, mute sets a layer's attention and MLP to 0; mute wins over solo. */
export function compile(recipe: Recipe, muted: number[], soloed: number[], layers: number): Recipe {
  if (layers === 0 || (muted.length === 0 && soloed.length === 0)) return recipe;
  let out = recipe;
  for (const name of KNOBS) {
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
  for (const name of KNOBS) {
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
  return { recipe: dropped.length === 0 ? recipe : { ...recipe, eps, bands, points }, dropped };
}

/** `o`, `4.q` or `4.o.h3`. */
export function pointExists(key: string, layout: Layout): boolean {
  const match = /^(?:(\d+)\.)?([a-z]+)(?:\.h(\d+))?$/.exec(key);
  const point = match?.[2];
  if (!match || !point || !layout.points.includes(point)) return false;
  if (match[1] !== undefined && Number(match[1]) >= layout.layers) return false;
  if (match[3] === undefined) return true;
  if (match[1] === undefined) return false;
  const heads = point === "k" || point === "v" ? layout.kv_heads : layout.heads;
  return ["q", "k", "v", "o"].includes(point) && Number(match[3]) < heads;
}

export interface Short {
  knobs: { name: KnobName; value: number }[];
  bands: number;
  points: number;
}

/** A recipe in a few words: its knobs, and how many layers and points beneath them are changed. */
export function short(json: RecipeJson): Short {
  const knobs = KNOBS.flatMap((name) => {
    const value = json[name];
    return value !== undefined && value !== 1 ? [{ name, value }] : [];
  });
  const layers = new Set<number>();
  for (const band of Object.values(json.bands ?? {})) {
    band.forEach((v, layer) => {
      if (v !== 1) layers.add(layer);
    });
  }
  return { knobs, bands: layers.size, points: Object.keys(json.points ?? {}).length };
}

export const formatGain = (value: number): string =>
  Math.abs(value * 100 - Math.round(value * 100)) < 1e-6 ? value.toFixed(2) : String(round4(value));
