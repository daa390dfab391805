/** A learning rate as people write it: 2e−4, 0.01. */
export const rate = (value: number): string =>
  value !== 0 && Math.abs(value) < 1e-3
    ? Number(value.toPrecision(3)).toExponential().replace("e-", "e−")
    : String(Number(value.toPrecision(3)));
