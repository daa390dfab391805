/** What two runs were computed with, side by side: where the same request answers otherwise, the reason is here. */
import type { Run } from "@/api/types";
import { useT } from "../words";
import classes from "./Made.module.css";
import { madeWith } from "./madeWith";

export function Made({ before, after }: { before: Run; after: Run }) {
  const t = useT();
  const [a, b] = [madeWith(before), madeWith(after)];
  const rows = a.map(({ fact, value }, at) => ({ fact, before: value, after: b[at]?.value ?? "" }));
  const differ = rows.filter((row) => row.before !== row.after).map(({ fact }) => t(`detail.${fact}`));
  return (
    <>
      <p className={classes.note}>
        {differ.length === 0 ? t("detail.made_alike") : t("detail.made_differs", { what: differ.join(", ") })}
      </p>
      <table className={classes.made}>
        <caption>{t("detail.made_with")}</caption>
        <thead>
          <tr>
            <td />
            <th scope="col">{t("detail.settings_a")}</th>
            <th scope="col">{t("detail.settings_b")}</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.fact} data-differs={row.before !== row.after || undefined}>
              <th scope="row">{t(`detail.${row.fact}`)}</th>
              <td>{row.before || t("detail.unknown")}</td>
              <td>{row.after || t("detail.unknown")}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
