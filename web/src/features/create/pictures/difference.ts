/** Where two pictures differ: the amount a pixel, brought up to where it can be seen. Knows pixels, no canvas. */

export interface Difference {
  pixels: Uint8ClampedArray<ArrayBuffer>; // RGBA, dark where nothing differs
  mean: number; // share of the whole range, 0–1, before it is brought up
  most: number;
  gain: number; // how many times it was brought up
}

const GAINS = [1, 2, 4, 8, 16] as const;

/** `a` and `b`: RGBA of the same size. The largest gain that clips nothing, of 1, 2, 4, 8 and 16. */
export function differenceOf(a: Uint8ClampedArray, b: Uint8ClampedArray): Difference {
  if (a.length !== b.length) throw new RangeError("two pictures of different sizes");
  let sum = 0;
  let most = 0;
  for (let i = 0; i < a.length; i += 4)
    for (let channel = 0; channel < 3; channel++) {
      const d = Math.abs((a[i + channel] ?? 0) - (b[i + channel] ?? 0));
      sum += d;
      if (d > most) most = d;
    }
  const gain = GAINS.findLast((one) => one * most <= 255) ?? 1;
  const pixels = new Uint8ClampedArray(a.length);
  for (let i = 0; i < a.length; i += 4) {
    for (let channel = 0; channel < 3; channel++)
      pixels[i + channel] = gain * Math.abs((a[i + channel] ?? 0) - (b[i + channel] ?? 0));
    pixels[i + 3] = 255;
  }
  const values = (a.length / 4) * 3;
  return { pixels, mean: values === 0 ? 0 : sum / values / 255, most: most / 255, gain };
}
