/** What axe finds in the page as it stands. Contrast needs real pixels: the browser tests look at that. */
import axe from "axe-core";

export async function violations(): Promise<string[]> {
  const { violations } = await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } });
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 160)}`));
}
