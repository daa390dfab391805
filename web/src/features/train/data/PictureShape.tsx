/** For who has no pictures together yet: what they should look like. */
import { useT } from "../words";
import classes from "./Data.module.css";

const STEMS = `cat-01.png    cat-01.txt    a grey cat on a chair
cat-02.png    cat-02.txt    a grey cat, asleep`;
const LISTED = `{"file_name": "cat-01.png", "text": "a grey cat on a chair"}
{"file_name": "cat-02.png", "text": "a grey cat, asleep"}`;

export function PictureShape() {
  const t = useT();
  return (
    <details className={`${classes.details} ${classes.shape}`}>
      <summary>{t("data.whatPictures")}</summary>
      <p>{t("data.whatStems")}</p>
      <pre>{STEMS}</pre>
      <p>{t("data.whatListed")}</p>
      <pre>{LISTED}</pre>
      <p>{t("data.whatMany")}</p>
    </details>
  );
}
