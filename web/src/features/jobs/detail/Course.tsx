/** How the run went: when, where, how long, with which weights. */
import { IconShieldCheck } from "@tabler/icons-react";
import type { Run } from "@/api/types";
import { dateTime, duration } from "@/shared/i18n/format";
import { tookSeconds } from "../took";
import { useT } from "../words";
import classes from "./Course.module.css";
import frame from "./RunDrawer.module.css";

export function Course({ run }: { run: Run }) {
  const t = useT();
  const seconds = tookSeconds(run);
  const { result } = run;
  const { threads, ...versions } = result?.versions ?? {};
  const rows: [string, string | null | undefined][] = [
    [t("detail.model"), run.model],
    [t("detail.revision"), result?.revision ?? run.request.revision],
    [t("detail.device"), result?.device ? `${result.device} · ${result.dtype}` : null],
    [t("detail.threads"), threads],
    [
      t("detail.versions"),
      Object.entries(versions)
        .map((each) => each.join(" "))
        .join(" · "),
    ],
    [t("detail.seed"), result?.device ? String(result.seed) : null],
    [t("detail.position"), run.position ? t("detail.position_value", { count: run.position }) : null],
    [t("detail.created"), dateTime(run.created_at)],
    [t("detail.started"), run.started_at && dateTime(run.started_at)],
    [t("detail.finished"), run.finished_at && dateTime(run.finished_at)],
    [t("detail.took"), seconds === null ? null : duration(seconds)],
    [t("detail.worker"), run.worker],
    [t("detail.attempt"), run.attempt > 0 ? String(run.attempt) : null],
    [t("detail.id"), run.id],
  ];
  const { verified, live } = (result?.checksum ?? {}) as { verified?: unknown; live?: unknown };
  return (
    <section className={frame.section}>
      <h3>{t("detail.facts")}</h3>
      <dl className={classes.course}>
        {rows.map(([name, value]) =>
          value ? (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ) : null,
        )}
      </dl>
      {verified === true ? (
        <p className={classes.verified}>
          <IconShieldCheck size={16} aria-hidden />
          {t("detail.checksum_ok")} <code>{String(live).slice(0, 12)}</code>
        </p>
      ) : null}
    </section>
  );
}
