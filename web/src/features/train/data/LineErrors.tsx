/** What is wrong in a file, line by line. Knows errors, no file. */
import { useT } from "../words";
import classes from "./Data.module.css";
import { type LineError, useLineWords } from "./findingWords";

export function LineErrors({ errors, total }: { errors: readonly LineError[]; total: number }) {
  const t = useT();
  const words = useLineWords();
  const several = errors.some(({ file }) => file !== null);
  const more = total - errors.length;
  return (
    <div role="alert" className={classes.errors}>
      <p className={classes.errorsTitle}>{t("errors.title", { count: total })}</p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls can be reached by keyboard */}
      <div className={classes.scroll} tabIndex={0}>
        <table className={classes.table}>
          <thead>
            <tr>
              <th scope="col">{t("errors.line")}</th>
              <th scope="col">{t("errors.field")}</th>
              <th scope="col">{t("errors.expected")}</th>
              <th scope="col">{t("errors.found")}</th>
            </tr>
          </thead>
          <tbody>
            {errors.map(({ file, line, field, expected, found }) => (
              <tr key={`${file}:${line}:${field}`}>
                <td>{several ? `${file}:${line}` : line}</td>
                <td>{field ? <code>{field}</code> : t("errors.whole")}</td>
                <td>{words(expected)}</td>
                <td>{words(found)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {more > 0 ? <p>{t("errors.more", { count: more })}</p> : null}
      <p>{t("errors.mend")}</p>
    </div>
  );
}
