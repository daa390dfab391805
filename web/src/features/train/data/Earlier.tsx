/** Data sets of before, to take one again. Knows a list, no store. */
import type { Dataset } from "@/api/train";
import { ago } from "@/shared/i18n/format";
import type { Kind } from "../logic/ready";
import { useT } from "../words";
import classes from "./Data.module.css";

const SHOWN = 30;

export function Earlier({
  kind,
  datasets,
  onChoose,
}: {
  kind: Kind;
  datasets: readonly Dataset[];
  onChoose: (id: string) => void;
}) {
  const t = useT();
  const fitting = datasets.filter((one) => one.kind === kind).slice(0, SHOWN);
  if (fitting.length === 0) return null;
  return (
    <section aria-labelledby="train-earlier">
      <h3 id="train-earlier" className={classes.label}>
        {t("data.earlier")}
      </h3>
      <ul className={classes.earlier}>
        {fitting.map(({ id, name, format, rows, created_at }) => (
          <li key={id}>
            <button type="button" onClick={() => onChoose(id)}>
              <strong>{name}</strong>
              <span>
                {t(`data.formats_of.${format}`)} · {t(`data.rows_n.${kind}`, { count: rows })} ·{" "}
                {ago(created_at)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
