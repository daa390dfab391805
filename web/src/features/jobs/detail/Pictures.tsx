/** Every lane's pictures: original and tuned side by side, with what was measured. */
import { artifactUrl } from "@/api/pictures";
import type { Run } from "@/api/types";
import { useT } from "../words";
import classes from "./Answers.module.css";
import frame from "./RunDrawer.module.css";

/** Of a run that has ended; nothing is shown of one that has no pictures. */
export function Pictures({ run }: { run: Run }) {
  const t = useT();
  return (
    <section className={frame.section}>
      <h3>{t("detail.pictures")}</h3>
      <div className={classes.lanes}>
        {(run.result?.lanes ?? []).map(({ name, pictures }) => (
          <article key={name} className={classes.lane} data-lane={name === "base" ? "base" : "other"}>
            <h4 className={classes.name}>
              <i aria-hidden />
              {name === "base" || name === "tuned" ? t(`detail.${name}`) : name}
            </h4>
            <div className={classes.pictures}>
              {(pictures ?? []).map(({ index, sha256, width, height, seed }) => (
                <a key={index} href={artifactUrl(sha256)} target="_blank" rel="noreferrer">
                  <img
                    src={artifactUrl(sha256)}
                    width={width}
                    height={height}
                    loading="lazy"
                    data-small={width <= 160 || undefined}
                    alt={`${run.prompt} · seed ${seed}`}
                  />
                </a>
              ))}
            </div>
          </article>
        ))}
      </div>
    </section>
  );
}
