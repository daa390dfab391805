/** Before it starts: does it fit, how long will it take, what is the knob called; and the start. */
import { IconPlayerPlay } from "@tabler/icons-react";
import type { ProbeAsked } from "@/api/train";
import { Button } from "@/shared/ui/Button";
import { Card } from "@/shared/ui/Card";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import { Field } from "@/shared/ui/Field";
import { Memory, type Told } from "../budget/Memory";
import classes from "../budget/ReadyCard.module.css";
import { Time } from "../budget/Time";
import { setKnob, setSlider } from "../logic/draft";
import type { SliderObstacle } from "../logic/slider";
import frame from "../TrainPage.module.css";
import { useT } from "../words";
import { useKnobT } from "./words";

type Props = {
  estimate: Told;
  asked: ProbeAsked | null;
  name: { value: string; good: boolean; error: string | null };
  obstacle: SliderObstacle | undefined;
  starting: boolean;
  refused: unknown;
  onStart: () => void;
};

export function KnobReady({ estimate, asked, name, obstacle, starting, refused, onStart }: Props) {
  const t = useT();
  const own = useKnobT();
  return (
    <Card aria-labelledby="knob-ready" className={classes.card}>
      <header className={frame.head}>
        <h2 id="knob-ready">{t("ready.title")}</h2>
      </header>
      <dl className={classes.rows}>
        <Memory {...estimate} onTake={({ batch }) => batch && setSlider({ batch })} />
        <Time kind="knob" asked={asked} can={asked !== null && estimate.data?.fits !== false} />
      </dl>
      <Field
        label={own("name")}
        value={name.value}
        maxLength={80}
        spellCheck={false}
        hint={own("nameHint")}
        error={name.error ?? (name.good ? undefined : t("ready.nameBad"))}
        onChange={(event) => setKnob(event.target.value)}
      />
      {refused ? <ErrorNote error={refused} /> : null}
      <div className={classes.start}>
        <Button
          kind={obstacle ? "plain" : "primary"}
          disabled={obstacle !== undefined}
          busy={starting}
          onClick={onStart}
        >
          <IconPlayerPlay size={18} aria-hidden />
          {starting ? t("ready.starting") : own("start")}
        </Button>
        {obstacle ? <span className={classes.why}>{own(`why.${obstacle}`)}</span> : null}
      </div>
    </Card>
  );
}
