/** Which model to work with: three families, or anything that has a name. The first step of Create, and the Models page. */
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { modelsQuery } from "@/api/models";
import { useChosenModel } from "@/shared/store/model";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import classes from "./ChoosePage.module.css";
import { FamilyCard } from "./FamilyCard";
import { families, isUsable, strangers } from "./families";
import { OtherModel } from "./OtherModel";
import { Steps } from "./Steps";
import { Strangers } from "./Strangers";
import { useT } from "./words";

/** `first`: nothing has been chosen yet. */
export default function ChoosePage({ first = false, onChosen }: { first?: boolean; onChosen: () => void }) {
  const t = useT();
  const { id: chosen, choose } = useChosenModel();
  const models = useQuery(modelsQuery);
  const [typed, setTyped] = useState("");
  const [asked, setAsked] = useState("");
  const take = (id: string) => {
    choose(id);
    onChosen();
  };
  const lookAt = (id: string) => {
    setTyped(id);
    setAsked(id);
    document.getElementById("other-model")?.scrollIntoView({ block: "center" });
  };
  const shown = models.data ? families(models.data) : [];
  const leading =
    shown.find(({ cards }) => cards.some(({ id }) => id === chosen)) ??
    shown.find(({ cards: [best] }) => best && isUsable(best));
  return (
    <div className={classes.page}>
      <header className={classes.head}>
        {first ? <Steps now="choose" /> : null}
        <h1>{first ? t("title_first") : t("title")}</h1>
        <p className={classes.lead}>{first ? t("lead_first") : t("lead")}</p>
      </header>
      {models.isPending ? <p className={classes.lead}>{t("loading")}</p> : null}
      {models.error ? <ErrorNote error={models.error} onRetry={() => void models.refetch()} /> : null}
      {models.data ? (
        <div className={classes.families}>
          {shown.map((family) => (
            <FamilyCard
              key={family.name}
              family={family}
              chosen={chosen}
              leading={family === leading}
              onChoose={take}
              onLookAt={lookAt}
            />
          ))}
        </div>
      ) : null}
      <OtherModel
        typed={typed}
        asked={asked}
        onType={setTyped}
        onAsk={setAsked}
        chosen={chosen}
        onChoose={take}
      />
      <Strangers cards={strangers(models.data ?? [])} />
    </div>
  );
}
