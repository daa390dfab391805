/** This page's id: the same over reloads of a tab, another in another tab. Runs asked for here carry it. */

const KEPT_AS = "imfine.page";

function draw(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10)); // getRandomValues also where the page is not secure
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export const pageId: string = (() => {
  const kept = sessionStorage.getItem(KEPT_AS);
  if (kept) return kept;
  const drawn = draw();
  sessionStorage.setItem(KEPT_AS, drawn);
  return drawn;
})();
