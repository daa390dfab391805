/** Create: turn a model's weights and hear, side by side, what it changes. Lays out the parts and ties the chosen
 *  model to them; knows no part's inside. `run`: a kept run to open again. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { modelQuery, modelsQuery } from "@/api/models";
import type { Card, Delta } from "@/api/types";
import { useLanguage } from "@/shared/i18n/i18n";
import { useChosenModel } from "@/shared/store/model";
import { Button } from "@/shared/ui/Button";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import classes from "./CreatePage.module.css";
import { labelIn } from "./logic/adapters";
import { useDraft } from "./logic/draft";
import { changeOf, isBlank, isBusy } from "./logic/lanes";
import { type KnobName, knobsOf, type Layout } from "./logic/recipe";
import { useWords } from "./messages";
import { ImageSettings } from "./pictures/ImageSettings";
import { pictureChange } from "./pictures/lanes";
import { PictureAnswers, usePictureChangeWords } from "./pictures/PictureAnswers";
import { PictureDrop } from "./pictures/PictureDrop";
import { baseKeyOf, besideItsOriginal, connect, reopen, useLanes } from "./studio";
import { useChangeWords } from "./text/changeWords";
import { Lanes } from "./text/Lanes";
import { SettingsFold } from "./text/SettingsFold";
import { DeltaKnob } from "./ui/DeltaKnob";
import { Deltas } from "./ui/Deltas";
import { Equalizer } from "./ui/Equalizer";
import { Filmstrip } from "./ui/Filmstrip";
import { Knob } from "./ui/Knob";
import { KnobTools } from "./ui/KnobTools";
import { ManifestLine } from "./ui/ManifestLine";
import { PromptBox } from "./ui/PromptBox";
import { Failure, Notices } from "./ui/Status";
import { useCreateKeys } from "./useCreateKeys";

/** For a model whose config is not here yet: what the three knobs alone need. */
const UNKNOWN: Layout = { layers: 0, eps: 1e-5, points: [], eps_knob_max: 5 };

/** What answers in words and what answers in pictures: their settings and their comparison. The rest is shared. */
const FACES = {
  text: { Settings: SettingsFold, Answers: Lanes },
  image: { Settings: ImageSettings, Answers: PictureAnswers },
} as const;

const NO_MODELS: readonly Card[] = [];
const NO_DELTAS: readonly Delta[] = [];

/** Before a model's config is here, its family tells. */
const PICTURES: readonly (string | null)[] = ["stable-diffusion", "sd"];

export default function CreatePage({ run }: { run: string | null }) {
  const t = useWords();
  const client = useQueryClient();
  const model = useChosenModel((chosen) => chosen.id) ?? "";
  const answersKey = useLanes((lanes) => lanes.baseKey);
  const answered = useLanes((lanes) => lanes.run);
  const busy = useLanes(isBusy);
  const fresh = useLanes((lanes) => lanes.state === "idle" && isBlank(lanes));
  const succeeded = useLanes((lanes) => lanes.state === "succeeded");
  const said = useSaid();
  const kind = useDraft((draft) => draft.kind);
  const baseKey = useDraft((draft) => baseKeyOf(model, draft));
  const [held, setHeld] = useCreateKeys();
  const [touched, setTouched] = useState<KnobName | null>(null);
  const [touchedDelta, setTouchedDelta] = useState<string | null>(null); // it comes first, while it is laid out
  const [dropped, setDropped] = useState<string[]>([]);
  const [unopened, setUnopened] = useState<unknown>(null);
  const knobs = useRef<HTMLDivElement>(null);
  const knobsAway = useAway(knobs);

  const detail = useQuery({ ...modelQuery(model), enabled: model !== "" });
  const models = useQuery(modelsQuery);
  const { data } = detail;
  const deltas = data?.deltas ?? NO_DELTAS;
  const layout = useMemo(
    () => (data?.layout ? ({ ...data.layout, deltas: data.deltas.map(({ id }) => id) } as Layout) : null),
    [data],
  );
  const language = useLanguage();
  const labelOf = useCallback(
    (id: string) =>
      labelIn(
        deltas.find((delta) => delta.id === id),
        id,
        language,
      ),
    [deltas, language],
  );
  const reach = layout ?? UNKNOWN;
  const told = layout?.kind ?? (PICTURES.includes(detail.data?.card.family ?? null) ? "image" : "text");
  const { Settings, Answers } = FACES[kind];

  useEffect(() => {
    if (model === "" || detail.isPending) return;
    const { dropped: left, disconnect } = connect(model, layout, told);
    setDropped(left);
    return disconnect;
  }, [model, layout, told, detail.isPending]);

  useEffect(() => {
    if (run === null || run === useLanes.getState().run) return;
    setUnopened(null);
    reopen(run).catch(setUnopened);
  }, [run]);

  useEffect(() => {
    if (run !== null && answered !== null && answered !== run)
      window.history.replaceState(window.history.state, "", window.location.pathname); // no longer that run
  }, [run, answered]);

  const fetched = succeeded && layout === null;
  useEffect(() => {
    if (fetched) void client.invalidateQueries({ queryKey: ["models"] });
  }, [fetched, client]);

  const compare = async (parent: string) => {
    await client.fetchQuery({ ...modelQuery(parent), staleTime: 0 }); // it may have been trained a moment ago
    besideItsOriginal(model, parent);
  };

  const idAtHand = useDraft(({ recipe }) => {
    if (touchedDelta !== null) return touchedDelta in recipe.deltas ? touchedDelta : undefined;
    return touched === null ? Object.keys(recipe.deltas)[0] : undefined;
  });
  const atHand = deltas.find(({ id }) => id === idAtHand);
  const touch = useCallback((name: KnobName) => {
    setTouched(name);
    setTouchedDelta(null);
  }, []);

  const knob = (name: KnobName, compact = false) => (
    <Knob key={name} name={name} model={model} kind={kind} layout={reach} onTouch={touch} compact={compact} />
  );

  return (
    <div className={classes.page}>
      <h1 className="visually-hidden">{t("title")}</h1>
      <div className={classes.setup}>
        <PromptBox
          card={detail.data?.card ?? null}
          busy={busy}
          changed={answersKey !== "" && answersKey !== baseKey}
          fresh={fresh}
        />
        <Settings layout={layout} />
        <PictureDrop button={kind === "image"} />
        {detail.error ? <ErrorNote error={detail.error} onRetry={() => void detail.refetch()} /> : null}
        {dropped.length > 0 ? (
          <p className={classes.note} role="status">
            {t("model.dropped", { what: dropped.join(", ") })}
          </p>
        ) : null}
        <section ref={knobs} className={classes.knobs} aria-label={t("knobs.title")}>
          <KnobTools said={said} />
          {knobsOf(reach).map((name) => knob(name))}
          {layout ? (
            <Deltas model={model} deltas={deltas} labelOf={labelOf} onTouch={setTouchedDelta} />
          ) : null}
        </section>
        {data?.parent ? (
          <p className={classes.note}>
            {t("delta.trainedFrom", { parent: data.parent })}{" "}
            <Button kind="quiet" size="small" onClick={() => void compare(data.parent ?? "")}>
              {t("delta.compare")}
            </Button>
          </p>
        ) : null}
      </div>

      <section className={classes.answers} aria-label={t("lanes.title")}>
        <h2 className="visually-hidden">{t("lanes.title")}</h2>
        {knobsAway ? (
          <section className={classes.hand} aria-label={t("knobs.last")}>
            {atHand ? (
              <DeltaKnob
                id={atHand.id}
                label={labelOf(atHand.id)}
                delta={atHand}
                onTouch={setTouchedDelta}
                compact
              />
            ) : (
              knob(touched ?? "attn", true)
            )}
            <p>{said}</p>
          </section>
        ) : null}
        {unopened ? <ErrorNote error={unopened} /> : null}
        <Failure />
        <Notices models={models.data ?? NO_MODELS} />
        <Answers held={held} onHold={setHeld} model={model} layout={layout} />
        <Filmstrip baseKey={baseKey} layers={reach.layers} />
      </section>

      <div className={classes.deep}>
        {layout ? <Equalizer layout={layout} labelOf={labelOf} /> : null}
        {layout ? <ManifestLine model={model} layers={reach.layers} /> : null}
        {detail.data && !layout ? <p className={classes.note}>{t("model.notReady")}</p> : null}
      </div>
    </div>
  );
}

/** What the last move did, in words. */
function useSaid(): string {
  const t = useWords();
  const words = useChangeWords();
  const pictureWords = usePictureChangeWords();
  return useLanes(
    (lanes) =>
      words(changeOf(lanes)) ||
      pictureWords(pictureChange(lanes.pictures, 0)) ||
      t(isBusy(lanes) ? "change.waiting" : "change.still"),
  );
}

/** Whether an element has been scrolled out above: then the last touched slider is kept at hand. */
function useAway(of: React.RefObject<HTMLElement | null>): boolean {
  const [away, setAway] = useState(false);
  useEffect(() => {
    const element = of.current;
    if (!element || typeof IntersectionObserver === "undefined") return;
    const observer = new IntersectionObserver(
      ([entry]) => {
        if (entry) setAway(!entry.isIntersecting && entry.boundingClientRect.top < 0);
      },
      { rootMargin: "-150px 0px 0px 0px" }, // the bar on top, and the room the slider at hand takes
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [of]);
  return away;
}
