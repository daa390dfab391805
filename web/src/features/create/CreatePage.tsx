/** Create: turn a model's weights and hear, side by side, what it changes. Lays out the parts and ties the chosen
 *  model to them; knows no part's inside. `run`: a kept run to open again. */
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { modelQuery, modelsQuery } from "@/api/models";
import { useChosenModel } from "@/shared/store/model";
import { ErrorNote } from "@/shared/ui/ErrorNote";
import classes from "./CreatePage.module.css";
import { useDraft } from "./logic/draft";
import { changeOf, isBusy } from "./logic/lanes";
import type { KnobName } from "./logic/recipe";
import { useWords } from "./messages";
import { baseKeyOf, connect, reopen, useLanes } from "./studio";
import { Equalizer } from "./ui/Equalizer";
import { Filmstrip } from "./ui/Filmstrip";
import { Knob } from "./ui/Knob";
import { KnobTools } from "./ui/KnobTools";
import { Lanes, useChangeWords } from "./ui/Lanes";
import { ManifestLine } from "./ui/ManifestLine";
import { PromptBox } from "./ui/PromptBox";
import { SettingsFold } from "./ui/SettingsFold";
import { Failure, Notices } from "./ui/Status";
import { useCreateKeys } from "./useCreateKeys";

const SLIDERS: readonly KnobName[] = ["attn", "mlp", "eps"];
/** For a model whose config is not here yet: what the three knobs alone need. */
const UNKNOWN = { layers: 0, eps: 1e-5, qk_norm: false, eps_knob_max: 5 };

export default function CreatePage({ run }: { run: string | null }) {
  const t = useWords();
  const changeWords = useChangeWords();
  const client = useQueryClient();
  const model = useChosenModel((chosen) => chosen.id) ?? "";
  const state = useLanes();
  const prompt = useDraft((draft) => draft.prompt);
  const sampling = useDraft((draft) => draft.sampling);
  const [held, setHeld] = useCreateKeys();
  const [touched, setTouched] = useState<KnobName>("attn");
  const [dropped, setDropped] = useState<string[]>([]);
  const [unopened, setUnopened] = useState<unknown>(null);
  const knobs = useRef<HTMLDivElement>(null);
  const knobsAway = useAway(knobs);

  const detail = useQuery({ ...modelQuery(model), enabled: model !== "" });
  const models = useQuery(modelsQuery);
  const layout = detail.data?.layout ?? null;
  const reach = layout ?? UNKNOWN;

  useEffect(() => {
    if (model === "" || detail.isPending) return;
    const { dropped: left, disconnect } = connect(model, layout);
    setDropped(left);
    return disconnect;
  }, [model, layout, detail.isPending]);

  useEffect(() => {
    if (run === null || run === useLanes.getState().run) return;
    setUnopened(null);
    reopen(run).catch(setUnopened);
  }, [run]);

  const answered = state.run;
  useEffect(() => {
    if (run !== null && answered !== null && answered !== run)
      window.history.replaceState(window.history.state, "", window.location.pathname); // no longer that run
  }, [run, answered]);

  const fetched = state.state === "succeeded" && layout === null;
  useEffect(() => {
    if (fetched) void client.invalidateQueries({ queryKey: ["models"] });
  }, [fetched, client]);

  const busy = isBusy(state);
  const baseKey = baseKeyOf(model, prompt, sampling);
  const fresh = state.state === "idle" && state.base.ids.length === 0;
  const change = changeOf(state);
  const said = changeWords(change) || t(busy ? "change.waiting" : "change.still");
  const knob = (name: KnobName, compact = false) => (
    <Knob key={name} name={name} model={model} layout={reach} onTouch={setTouched} compact={compact} />
  );

  return (
    <div className={classes.page}>
      <h1 className="visually-hidden">{t("title")}</h1>
      <div className={classes.setup}>
        <PromptBox
          card={detail.data?.card ?? null}
          busy={busy}
          changed={state.baseKey !== "" && state.baseKey !== baseKey}
          fresh={fresh}
        />
        <SettingsFold />
        {detail.error ? <ErrorNote error={detail.error} onRetry={() => void detail.refetch()} /> : null}
        {dropped.length > 0 ? (
          <p className={classes.note} role="status">
            {t("model.dropped", { what: dropped.join(", ") })}
          </p>
        ) : null}
        <section ref={knobs} className={classes.knobs} aria-label={t("knobs.title")}>
          <KnobTools said={said} />
          {SLIDERS.map((name) => knob(name))}
        </section>
      </div>

      <section className={classes.answers} aria-label={t("lanes.title")}>
        <h2 className="visually-hidden">{t("lanes.title")}</h2>
        {knobsAway ? (
          <section className={classes.hand} aria-label={t("knobs.last")}>
            {knob(touched, true)}
            <p>{said}</p>
          </section>
        ) : null}
        {unopened ? <ErrorNote error={unopened} /> : null}
        <Failure state={state} />
        <Notices notices={state.notices} models={models.data ?? []} />
        <Lanes state={state} held={held} onHold={setHeld} model={model} layers={reach.layers} />
        <Filmstrip baseKey={baseKey} layers={reach.layers} />
      </section>

      <div className={classes.deep}>
        {layout ? <Equalizer layout={layout} /> : null}
        {layout ? <ManifestLine model={model} layers={reach.layers} /> : null}
        {detail.data && !layout ? <p className={classes.note}>{t("model.notReady")}</p> : null}
      </div>
    </div>
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
