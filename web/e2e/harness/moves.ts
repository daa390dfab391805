/** Moves of the ATTN slider, timed in the page. */

/** In the page: the slider's key is pressed. `key` is the name of a key there. */
export const PRESS = `
  const slider = [...document.querySelectorAll("[role=slider]")].find((one) => one.getAttribute("aria-label") === "ATTN");
  slider.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
  slider.dispatchEvent(new KeyboardEvent("keyup", { key, bubbles: true }));`;

/** Six to the right, six to the left, and so on. */
export const keyOf = (move: number): string => (move % 12 < 6 ? "ArrowRight" : "ArrowLeft");

export function told(times: readonly number[]) {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.floor(share * (sorted.length - 1))] ?? Number.NaN);
  return { n: sorted.length, median_ms: at(0.5), p95_ms: at(0.95), max_ms: at(1) };
}
