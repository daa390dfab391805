/** Which model to work with. */
export default function ChoosePage(_: { first?: boolean; onChosen: () => void }) {
  return null;
}
