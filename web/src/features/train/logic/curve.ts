/** The points of a run, as they come: columns that grow in place, so that a hundred thousand of them cost no more a step
 *  than ten. Knows no drawing. */

const FIRST = 1024;
const COLUMNS = ["step", "loss", "lr", "gradNorm"] as const;
type Column = (typeof COLUMNS)[number];

export class Curve {
  length = 0;
  private columns: Record<Column, Float64Array> = {
    step: new Float64Array(FIRST),
    loss: new Float64Array(FIRST),
    lr: new Float64Array(FIRST),
    gradNorm: new Float64Array(FIRST),
  };

  get last(): number {
    return this.at("step", this.length - 1) ?? 0;
  }

  at(column: Column, i: number): number | undefined {
    return i < 0 || i >= this.length ? undefined : this.columns[column][i];
  }

  /** Steps rise: one that was heard already is not taken twice. */
  add(step: number, loss: number, lr: number, gradNorm: number): void {
    if (step <= this.last) return;
    if (this.length === this.columns.step.length) this.grow();
    const i = this.length++;
    this.columns.step[i] = step;
    this.columns.loss[i] = loss;
    this.columns.lr[i] = lr;
    this.columns.gradNorm[i] = gradNorm;
  }

  /** A new attempt goes on behind `step`: what came after it will come again. */
  cut(step: number): void {
    while (this.length > 0 && this.last > step) this.length -= 1;
  }

  /** What there is of a column: a window on it, no copy. */
  column(name: Column): Float64Array {
    return this.columns[name].subarray(0, this.length);
  }

  private grow(): void {
    for (const name of COLUMNS) {
      const wider = new Float64Array(this.columns[name].length * 2);
      wider.set(this.columns[name]);
      this.columns[name] = wider;
    }
  }
}

/** A running mean that forgets by `weight` a step (0: the values themselves, towards 1: smoother), corrected for its
 *  beginning as TensorBoard's is. */
export function smoothed(values: Float64Array, weight: number): Float64Array {
  const out = new Float64Array(values.length);
  let mean = 0;
  let seen = 0;
  for (let i = 0; i < values.length; i++) {
    mean = weight * mean + (1 - weight) * (values[i] ?? 0);
    seen = weight * seen + (1 - weight);
    out[i] = mean / seen;
  }
  return out;
}
