/** Both pictures: side by side, under one slider, or what differs; zoomed together; what can be done with them.
 *  Knows lanes and the draft's words. */
import { IconZoomIn, IconZoomOut, IconZoomReset } from "@tabler/icons-react";
import { useMemo, useState } from "react";
import { type Command, useCommands } from "@/shared/store/commands";
import { Button, IconButton } from "@/shared/ui/Button";
import { useDraft } from "../logic/draft";
import { isBusy, type LanesState } from "../logic/lanes";
import type { Layout } from "../logic/recipe";
import { PICTURE_MODES, useView } from "../logic/view";
import { useWords } from "../messages";
import { useLanes } from "../studio";
import { Checksum } from "../ui/Checksum";
import { Hold } from "../ui/Hold";
import { Phase } from "../ui/Status";
import { DifferenceLayer } from "./DifferenceLayer";
import { Frame } from "./Frame";
import { type PictureChange, type PictureLane, type PictureView, pictureChange, pictureCount } from "./lanes";
import { Measures } from "./Measures";
import { PictureShare } from "./PictureShare";
import classes from "./Pictures.module.css";
import { useZoom, type Zoom } from "./useZoom";
import { usePictureWords } from "./words";
import { transformOf } from "./zoom";

export function usePictureChangeWords(): (change: PictureChange) => string {
  const t = usePictureWords();
  return (change) => {
    if (change === null) return "";
    if (change.kind === "same") return t("same");
    return change.ssim === null ? t("changed") : t("differs", { ssim: change.ssim.toFixed(3) });
  };
}

type Props = {
  held: boolean;
  onHold: (held: boolean) => void;
  model: string;
  layout: Layout | null;
};

export function PictureAnswers({ held, onHold, model, layout }: Props) {
  const state = useLanes();
  const t = usePictureWords();
  const changeWords = usePictureChangeWords();
  const { compare, set } = useView();
  const zoom = useZoom();
  const [chosen, setChosen] = useState(0);
  const { base, tuned } = state.pictures;
  const count = pictureCount(state.pictures);
  const index = Math.min(chosen, Math.max(0, count - 1));
  const at = (lane: PictureLane) => lane.items.find((one) => one.index === index);
  const pair = { base: at(base), tuned: at(tuned) };
  const change = pictureChange(state.pictures, index);
  const commands = useMemo<Command[]>(() => {
    const next = () => {
      const view = useView.getState();
      const mode = PICTURE_MODES[(PICTURE_MODES.indexOf(view.compare) + 1) % PICTURE_MODES.length];
      view.set({ compare: mode });
    };
    return [{ id: "create.compare", group: t("keys.group"), title: t("keys.next"), keys: "C", run: next }];
  }, [t]);
  useCommands("create.pictures", commands);

  const beside = change?.kind === "differs" && change.ssim !== null ? "" : changeWords(change); // else told below
  const Stage = STAGES[compare];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: + − 0 zoom wherever the focus is among the pictures
    <div className={classes.answers} onKeyDown={zoom.onKeyDown}>
      <div className={classes.bar}>
        <fieldset className={classes.modes} aria-label={t("mode.label")}>
          {PICTURE_MODES.map((mode) => (
            <button
              key={mode}
              type="button"
              aria-pressed={mode === compare}
              onClick={() => set({ compare: mode })}
            >
              {t(`mode.${mode}`)}
            </button>
          ))}
        </fieldset>
        <span className={classes.zooms}>
          <IconButton label={t("zoomOut")} title={t("zoomHelp")} onClick={zoom.zoomOut}>
            <IconZoomOut size={18} aria-hidden />
          </IconButton>
          <IconButton label={t("zoomIn")} title={t("zoomHelp")} onClick={zoom.zoomIn}>
            <IconZoomIn size={18} aria-hidden />
          </IconButton>
          <IconButton label={t("zoomWhole")} disabled={zoom.view.scale === 1} onClick={zoom.whole}>
            <IconZoomReset size={18} aria-hidden />
          </IconButton>
        </span>
      </div>
      <Stage state={state} pair={pair} zoom={zoom} held={held} onHold={onHold} change={beside} />
      {count > 1 ? (
        <ul className={classes.picks}>
          {Array.from({ length: count }, (_, n) => n).map((n) => (
            <li key={n}>
              <Button
                size="small"
                aria-pressed={n === index}
                aria-label={t("choose", { n: n + 1 })}
                onClick={() => setChosen(n)}
              >
                {n + 1}
              </Button>
            </li>
          ))}
        </ul>
      ) : null}
      <div className={classes.bar}>
        <Phase state={state} />
        <span className={classes.space} />
        {count > 0 ? (
          <PictureShare model={model} layout={layout} state={state} {...pair} change={changeWords(change)} />
        ) : null}
      </div>
    </div>
  );
}

type StageProps = {
  state: LanesState;
  pair: { base: PictureView | undefined; tuned: PictureView | undefined };
  zoom: Zoom;
  held: boolean;
  onHold: (held: boolean) => void;
  change: string;
};

function Side({ state, pair, zoom, held, onHold, change }: StageProps) {
  const words = useWords();
  const t = usePictureWords();
  const prompt = useDraft((draft) => draft.prompt);
  const { base, tuned } = state.pictures;
  const title = words(held ? "lanes.held" : "lanes.tuned");
  return (
    <div className={classes.lanes}>
      <section className={classes.lane} data-kind="base" aria-label={words("lanes.base")}>
        <Head title={words("lanes.base")} picture={pair.base} />
        <Frame
          picture={pair.base}
          label={words("lanes.base")}
          prompt={prompt}
          zoom={zoom}
          stale={base.stale}
          empty={t("empty")}
        />
        <footer className={classes.foot}>
          <Checksum proof={state.proof} />
          {base.stale ? null : <Measures measures={pair.base?.measures ?? null} />}
        </footer>
      </section>
      <section
        className={classes.lane}
        data-kind="tuned"
        aria-label={title}
        aria-busy={isBusy(state) && !pair.tuned?.url}
      >
        <Head title={title} picture={pair.tuned}>
          {pair.tuned ? <Hold held={held} onHold={onHold} /> : null}
        </Head>
        <Frame
          picture={held ? pair.base : pair.tuned}
          label={title}
          prompt={prompt}
          zoom={zoom}
          stale={!held && tuned.stale}
          empty={t("emptyTuned")}
        />
        <footer className={classes.foot}>
          {change && !held ? <p className={classes.change}>{change}</p> : null}
          {tuned.stale || held ? null : <Measures measures={pair.tuned?.measures ?? null} />}
        </footer>
      </section>
    </div>
  );
}

function Head({
  title,
  picture,
  children,
}: {
  title: string;
  picture: PictureView | undefined;
  children?: React.ReactNode;
}) {
  const t = usePictureWords();
  return (
    <header className={classes.head}>
      <h3>
        <span className={classes.mark} aria-hidden="true" />
        {title}
      </h3>
      {children}
      <span className={classes.count}>
        {picture?.url ? `${picture.width} × ${picture.height} · ${t("seed", { seed: picture.seed })}` : null}
      </span>
    </header>
  );
}

/** Original left of the divider, tuned right of it. */
function Slider({ state, pair, zoom, held, change }: StageProps) {
  const words = useWords();
  const t = usePictureWords();
  const prompt = useDraft((draft) => draft.prompt);
  const [share, setShare] = useState(50);
  const shown = held ? 100 : share;
  const below = pair.tuned?.url ?? pair.tuned?.preview ?? null;
  const divider = (
    <>
      <span className={classes.divider} style={{ left: `${shown}%` }} aria-hidden="true" />
      <input
        className={classes.range}
        type="range"
        min={0}
        max={100}
        value={share}
        aria-label={t("divider")}
        aria-valuetext={t("dividerValue", { n: share })}
        onChange={(event) => setShare(Number(event.target.value))}
      />
    </>
  );
  return (
    <section className={classes.lane} data-kind="tuned" aria-label={t("mode.slider")}>
      <header className={classes.head}>
        <h3>{words("lanes.base")}</h3>
        <span className={classes.space} />
        <h3>{words("lanes.tuned")}</h3>
      </header>
      <div className={classes.large}>
        <Frame
          picture={pair.tuned}
          label={words("lanes.tuned")}
          prompt={prompt}
          zoom={zoom}
          stale={state.pictures.tuned.stale}
          empty={t("emptyTuned")}
          pannable={false}
          over={
            <>
              {pair.base?.url && below ? (
                <div className={classes.cut} style={{ clipPath: `inset(0 ${100 - shown}% 0 0)` }}>
                  <div className={classes.layer} style={{ transform: transformOf(zoom.view) }}>
                    <img src={pair.base.url} alt={words("lanes.base")} draggable={false} />
                  </div>
                </div>
              ) : null}
              {below ? divider : null}
            </>
          }
        />
      </div>
      <footer className={classes.foot}>
        {change ? <p className={classes.change}>{change}</p> : null}
        <Measures measures={pair.tuned?.measures ?? null} />
      </footer>
    </section>
  );
}

function DifferenceStage({ pair, zoom, state, change }: StageProps) {
  const t = usePictureWords();
  const prompt = useDraft((draft) => draft.prompt);
  const [found, setFound] = useState<{ most: number; gain: number } | null>(null);
  const both = pair.base?.url && pair.tuned?.url && !state.pictures.tuned.stale;
  const said = !both
    ? t("differenceWait")
    : found?.most === 0
      ? t("differenceNone")
      : found
        ? found.gain === 1
          ? t("differenceAsIs")
          : t("difference", { gain: found.gain })
        : "";
  return (
    <section className={classes.lane} data-kind="tuned" aria-label={t("mode.difference")}>
      <div className={classes.large}>
        <Frame
          picture={pair.tuned}
          label={t("mode.difference")}
          prompt={prompt}
          zoom={zoom}
          stale={state.pictures.tuned.stale}
          empty={t("differenceWait")}
        >
          {both && pair.base?.url && pair.tuned?.url ? (
            <DifferenceLayer base={pair.base.url} tuned={pair.tuned.url} onFound={setFound} />
          ) : null}
        </Frame>
      </div>
      <footer className={classes.foot}>
        <p className={classes.quiet} role="status">
          {said}
        </p>
        {change ? <p className={classes.change}>{change}</p> : null}
        <Measures measures={pair.tuned?.measures ?? null} />
      </footer>
    </section>
  );
}

const STAGES = { side: Side, slider: Slider, difference: DifferenceStage } as const;
