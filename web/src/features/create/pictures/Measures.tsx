/** A picture in numbers, each explained. Knows a picture's measures. */
import { number } from "@/shared/i18n/format";
import { Help } from "../ui/Help";
import type { PictureView } from "./lanes";
import classes from "./Pictures.module.css";
import { usePictureWords } from "./words";

export function Measures({ measures }: { measures: PictureView["measures"] }) {
  const t = usePictureWords();
  if (!measures) return null;
  const rows = [
    { name: "ssim", value: measures.ssim, digits: 3 },
    { name: "amount", value: measures.difference, digits: 3 },
    { name: "colourfulness", value: measures.colourfulness, digits: 1 },
    { name: "sharpness", value: measures.sharpness, digits: 3 },
  ] as const;
  return (
    <dl className={classes.measures}>
      {rows.map(({ name, value, digits }) =>
        value === null || value === undefined ? null : (
          <div key={name}>
            <dt>
              {t(name)}
              <Help about={t(name)}>{t(`${name}Help`)}</Help>
            </dt>
            <dd>{number(value, digits)}</dd>
          </div>
        ),
      )}
    </dl>
  );
}
