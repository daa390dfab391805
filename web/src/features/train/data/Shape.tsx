/** For who has no file yet: what it should look like, and one to try. */
import { IconSailboat } from "@tabler/icons-react";
import { useState } from "react";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { useT } from "../words";
import example from "./captain.jsonl?url";
import classes from "./Data.module.css";

const PAIRS = `{"prompt": "How are you?", "completion": "Arr, fit as a fiddle!"}
{"prompt": "What is rain?", "completion": "The sky be pumpin' her bilges."}`;
const TABLE = `question,answer
How are you?,"Arr, fit as a fiddle!"`;

export function Shape({ onFile }: { onFile: (file: File) => void }) {
  const t = useT();
  const [failed, setFailed] = useState<unknown>(null);
  const take = async () => {
    setFailed(null);
    try {
      const answer = await fetch(example);
      if (!answer.ok) throw new TypeError(`fetch: ${answer.status}`);
      onFile(new File([await answer.blob()], "captain.jsonl"));
    } catch (thrown) {
      setFailed(thrown);
    }
  };
  return (
    <div className={classes.shape}>
      <div className={classes.try}>
        <Button size="small" onClick={() => void take()}>
          <IconSailboat size={17} stroke={1.7} aria-hidden />
          {t("data.example")}
        </Button>
        <span className={classes.quiet}>{t("data.exampleWords")}</span>
      </div>
      {failed ? <ErrorNote error={failed} compact /> : null}
      <details className={classes.details}>
        <summary>{t("data.what")}</summary>
        <p>{t("data.whatPairs")}</p>
        <pre>{PAIRS}</pre>
        <p>{t("data.whatTable")}</p>
        <pre>{TABLE}</pre>
        <p>{t("data.whatText")}</p>
      </details>
    </div>
  );
}
