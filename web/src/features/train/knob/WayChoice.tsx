/** How a model that draws is taught: from pictures, or from two phrases. Knows the draft. */
import { setWay, useDraft, WAYS } from "../logic/draft";
import { Choice } from "../ui/Choice";
import { useKnobT } from "./words";

export function WayChoice() {
  const t = useKnobT();
  const way = useDraft((draft) => draft.way);
  return (
    <Choice
      label={t("way.title")}
      value={way}
      options={WAYS.map((one) => ({ value: one, name: t(`way.${one}`), words: t(`way.${one}Words`) }))}
      onChange={setWay}
    />
  );
}
