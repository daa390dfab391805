/** Finds an element as a person names it, inside any browser. Sent to the page as source: it knows nothing outside. */

/** The first visible element of that role whose accessible name contains `name` (case is ignored). */
export function findByRole(role: string, name: string): Element | null {
  const implicit: Record<string, string> = {
    button: "button",
    link: "a[href]",
    textbox: "textarea, input:not([type]), input[type=text], input[type=search]",
    slider: "input[type=range]",
    heading: "h1, h2, h3",
    region: "section[aria-label], section[aria-labelledby]",
  };
  const named = (element: Element): string => {
    const ids = element.getAttribute("aria-labelledby")?.split(/\s+/) ?? [];
    const labels = "labels" in element ? Array.from((element as HTMLInputElement).labels ?? []) : [];
    const texts = [
      element.getAttribute("aria-label"),
      ...ids.map((id) => document.getElementById(id)?.textContent),
      ...labels.map((label) => label.textContent),
      element.textContent,
      element.getAttribute("placeholder"),
    ];
    return texts.filter(Boolean).join(" ").toLowerCase();
  };
  const shown = (element: Element): boolean =>
    element.getClientRects().length > 0 && !element.closest("[aria-hidden=true], [inert]");
  const candidates = document.querySelectorAll([`[role=${role}]`, implicit[role]].filter(Boolean).join(", "));
  const wanted = name.toLowerCase();
  return Array.from(candidates).find((element) => shown(element) && named(element).includes(wanted)) ?? null;
}

/** Everything the page says, as one string. */
export function pageText(): string {
  return document.body.innerText;
}
