/** How the loss goes: the curve, smoothed as one likes, zoomed by mouse or keys; in words and as a table besides. Knows a
 *  course. */
import { Menu, useComputedColorScheme } from "@mantine/core";
import { IconDownload, IconZoomIn, IconZoomOut, IconZoomReset } from "@tabler/icons-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { curvesUrl, tensorboardUrl } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { Button, IconButton } from "@/shared/ui/Button";
import { bestOf, type Course } from "../logic/course";
import { smoothed } from "../logic/curve";
import { rate } from "../logic/rate";
import { useView } from "../logic/view";
import { moved, type Window, zoomed } from "../logic/window";
import { useT } from "../words";
import classes from "./LossChart.module.css";
import { PointTable } from "./PointTable";
import { canDraw, type Plots, plots } from "./plot";

const CLOSER = 1.6;

export function LossChart({ course }: { course: Course }) {
  const t = useT();
  const { smoothing, table, set } = useView();
  const { curve, evaluations, steps, revision } = course;
  const total = Math.max(steps, curve.last, 1);
  const [window, setWindow] = useState<Window | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const drawing = useRef<Plots | null>(null);
  const scheme = useComputedColorScheme();
  // biome-ignore lint/correctness/useExhaustiveDependencies: the curve grows in place; its revision tells
  const smooth = useMemo(() => smoothed(curve.column("loss"), smoothing), [curve, revision, smoothing]);

  useEffect(() => {
    const element = box.current;
    if (!element || !canDraw()) return;
    const made = plots(element, { onAt: setAt, onWindow: setWindow });
    drawing.current = made;
    const resize = () => made.resize(Math.max(element.clientWidth, 120));
    resize();
    const observer = new ResizeObserver(resize);
    observer.observe(element);
    return () => {
      observer.disconnect();
      drawing.current = null;
      made.destroy();
    };
  }, []);

  useEffect(() => {
    drawing.current?.draw({ curve, smooth, evaluations, steps }, window);
  }, [curve, smooth, evaluations, steps, window]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: the colours are read anew when the scheme changes
  useEffect(() => drawing.current?.recolour(), [scheme]);

  const zoom = (factor: number, about?: number) => setWindow((now) => zoomed(now, total, factor, about));
  useWheel(box, (event) => {
    if (!event.ctrlKey && !event.metaKey) return false;
    const over = box.current?.querySelector(".u-over")?.getBoundingClientRect();
    const [from, to] = window ?? [0, total];
    const share = over ? (event.clientX - over.left) / over.width : 0.5;
    zoom(event.deltaY < 0 ? CLOSER : 1 / CLOSER, from + Math.min(1, Math.max(0, share)) * (to - from));
    return true;
  });
  const onKeyDown = (event: React.KeyboardEvent) => {
    const does = new Map<string, () => void>([
      ["+", () => zoom(CLOSER)],
      ["=", () => zoom(CLOSER)],
      ["-", () => zoom(1 / CLOSER)],
      ["0", () => setWindow(null)],
      ["ArrowLeft", () => setWindow((now) => moved(now, total, -0.2))],
      ["ArrowRight", () => setWindow((now) => moved(now, total, 0.2))],
    ]);
    const act = does.get(event.key);
    if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  };

  const index = at ?? curve.length - 1;
  const step = curve.at("step", index);
  const best = bestOf(evaluations);
  const [firstHeld] = evaluations;
  const lastHeld = evaluations.at(-1);
  const held =
    firstHeld && lastHeld && best
      ? t("chart.summaryHeld", {
          first: number(firstHeld.loss, 3),
          last: number(lastHeld.loss, 3),
          best: number(best.loss, 3),
          at: number(best.step),
        })
      : "";
  const summary =
    curve.length === 0
      ? t("chart.empty")
      : t("chart.summary", {
          steps: number(curve.length),
          first: number(smooth[0] ?? 0, 3),
          last: number(smooth.at(-1) ?? 0, 3),
          held,
        });

  return (
    <section className={classes.chart} aria-labelledby="train-loss">
      <header className={classes.head}>
        <h3 id="train-loss">{t("chart.title")}</h3>
        <ul className={classes.legend} aria-hidden="true">
          <li data-line="raw">{t("chart.raw")}</li>
          <li data-line="smooth">{t("chart.smooth")}</li>
          {course.kind === "learn" ? null : <li data-line="held">{t("chart.held")}</li>}
        </ul>
        <span className={classes.tools}>
          <IconButton label={t("chart.zoomOut")} title={t("chart.help")} onClick={() => zoom(1 / CLOSER)}>
            <IconZoomOut size={17} aria-hidden />
          </IconButton>
          <IconButton label={t("chart.zoomIn")} title={t("chart.help")} onClick={() => zoom(CLOSER)}>
            <IconZoomIn size={17} aria-hidden />
          </IconButton>
          <IconButton label={t("chart.whole")} disabled={window === null} onClick={() => setWindow(null)}>
            <IconZoomReset size={17} aria-hidden />
          </IconButton>
        </span>
      </header>
      <div
        className={classes.plot}
        ref={box}
        role="img"
        aria-label={summary}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: keys zoom and move it
        tabIndex={0}
        onKeyDown={onKeyDown}
      >
        {curve.length === 0 && evaluations.length === 0 ? (
          <p className={classes.empty}>{t("chart.empty")}</p>
        ) : null}
      </div>
      <p className={classes.readout} aria-hidden="true">
        {step === undefined ? null : (
          <>
            <span>{t("chart.at", { step: number(step) })}</span>
            <span data-line="raw">{number(curve.at("loss", index) ?? 0, 3)}</span>
            <span data-line="smooth">{number(smooth[index] ?? 0, 3)}</span>
            <span data-line="lr">
              {t("live.lr")} {rate(curve.at("lr", index) ?? 0)}
            </span>
          </>
        )}
      </p>
      <div className={classes.foot}>
        <label className={classes.smoothing}>
          {t("chart.smoothing")}
          <input
            type="range"
            min={0}
            max={0.99}
            step={0.01}
            value={smoothing}
            aria-valuetext={number(smoothing, 2)}
            onChange={(event) => set({ smoothing: Number(event.target.value) })}
          />
          <output>{smoothing.toFixed(2)}</output>
        </label>
        <span className={classes.tools}>
          <Button
            kind="quiet"
            size="small"
            aria-expanded={table}
            disabled={curve.length === 0}
            onClick={() => set({ table: !table })}
          >
            {t("chart.table")}
          </Button>
          <Menu position="bottom-end" withinPortal>
            <Menu.Target>
              <Button kind="quiet" size="small" disabled={curve.length === 0}>
                <IconDownload size={16} aria-hidden /> {t("chart.download")}
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item component="a" href={curvesUrl(course.run)} download={`${course.name}.csv`}>
                {t("chart.csv")}
              </Menu.Item>
              <Menu.Item component="a" href={tensorboardUrl(course.run)} download>
                {t("chart.tensorboard")}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </span>
      </div>
      {table && curve.length > 0 ? <PointTable course={course} smooth={smooth} /> : null}
    </section>
  );
}

/** React listens to wheels without being able to keep the page from scrolling. */
function useWheel(of: React.RefObject<HTMLElement | null>, take: (event: WheelEvent) => boolean): void {
  const latest = useRef(take);
  latest.current = take;
  useEffect(() => {
    const element = of.current;
    if (!element) return;
    const heard = (event: WheelEvent) => {
      if (latest.current(event)) event.preventDefault();
    };
    element.addEventListener("wheel", heard, { passive: false });
    return () => element.removeEventListener("wheel", heard);
  }, [of]);
}
