/** What the model draws of the watched prompts: before training and at a moment one chooses, large; beneath them the row
 *  of all moments, each a press away. Knows samples. */
import { useEffect, useRef } from "react";
import type { SampledPicture } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { promptsOf, type Sample } from "../logic/course";
import { useT } from "../words";
import { MomentSlider, type Moments, useMoments } from "./Moments";
import classes from "./Samples.module.css";

const SMALL = 160; // pixels a side; below, every one of them is shown as a square

export function PictureSamples({ samples, over }: { samples: readonly Sample[]; over: boolean }) {
  const t = useT();
  const moments = useMoments(samples);
  if (moments === null) return null;
  const { steps, first, step } = moments;
  const named = (at: number) =>
    at === first ? t("samples.before") : t("samples.after", { step: number(at) });
  return (
    <section className={classes.samples} aria-labelledby="train-samples">
      <header className={classes.head}>
        <h3 id="train-samples">{t("samples.title.image")}</h3>
        <MomentSlider moments={moments} />
      </header>
      {promptsOf(samples).map(([index, prompt]) => {
        const at = (step: number) =>
          samples.find((one) => one.index === index && one.step === step)?.picture ?? null;
        const alt = (step: number) => t("samples.alt", { prompt, moment: named(step) });
        const before = at(first);
        const now = at(step);
        return (
          <article key={index} className={classes.sample}>
            <h4>{prompt}</h4>
            <div className={classes.pictures}>
              <Drawn title={named(first)} alt={alt(first)} picture={before} />
              {step > first ? (
                <Drawn
                  title={named(step)}
                  alt={alt(step)}
                  picture={now}
                  same={now !== null && now.sha256 === before?.sha256}
                  tuned
                />
              ) : (
                <p className={classes.wait}>{over ? null : t("samples.waiting.image")}</p>
              )}
            </div>
            {steps.length > 2 ? <Row prompt={prompt} moments={moments} named={named} at={at} /> : null}
          </article>
        );
      })}
    </section>
  );
}

type RowProps = {
  prompt: string;
  moments: Moments;
  named: (step: number) => string;
  at: (step: number) => SampledPicture | null;
};

/** Every moment, the latest in sight until another one is looked at. */
function Row({ prompt, moments: { steps, first, step, look }, named, at }: RowProps) {
  const t = useT();
  const row = useRef<HTMLDivElement>(null);
  const latest = steps.at(-1);
  useEffect(() => {
    if (row.current && step === latest) row.current.scrollLeft = row.current.scrollWidth;
  }, [step, latest]);
  return (
    // biome-ignore lint/a11y/useSemanticElements: buttons under one name
    <div ref={row} role="group" aria-label={t("samples.row", { prompt })} className={classes.row}>
      {steps.map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={one === step}
          disabled={one === first}
          onClick={() => look(one)}
        >
          <Picture alt={named(one)} picture={at(one)} />
          <span aria-hidden="true">{number(one)}</span>
        </button>
      ))}
    </div>
  );
}

type DrawnProps = {
  title: string;
  alt: string;
  picture: SampledPicture | null;
  same?: boolean;
  tuned?: boolean;
};

function Drawn({ title, alt, picture, same, tuned }: DrawnProps) {
  const t = useT();
  return (
    <figure className={classes.drawn} data-tuned={tuned || undefined}>
      <figcaption>
        {title}
        {same ? ` · ${t("samples.same")}` : null}
      </figcaption>
      <Picture alt={alt} picture={picture} />
    </figure>
  );
}

/** Null: it is still being drawn. */
function Picture({ alt, picture }: { alt: string; picture: SampledPicture | null }) {
  if (picture === null)
    return (
      <span role="img" aria-label={alt} className={classes.none}>
        …
      </span>
    );
  const { url, width, height } = picture;
  return <img src={url} alt={alt} width={width} height={height} data-small={width <= SMALL || undefined} />;
}
