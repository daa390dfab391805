/** A picture in numbers, each explained. Knows a picture's measures. */
import { number } from "@/shared/i18n/format";
import { MeasureList } from "../ui/MeasureList";
import type { PictureView } from "./lanes";
import { usePictureWords } from "./words";

export function Measures({ measures }: { measures: PictureView["measures"] }) {
  const t = usePictureWords();
  if (!measures) return null;
  const rows = [
    { name: "ssim", value: measures.ssim, digits: 3 },
    { name: "amount", value: measures.difference, digits: 3 },
    { name: "colourfulness", value: measures.colourfulness, digits: 1 },
    { name: "sharpness", value: measures.sharpness, digits: (measures.sharpness ?? 0) < 10 ? 1 : 0 },
  ] as const;
  const told = rows.map(({ name, value, digits }) => ({
    name: t(name),
    help: t(`${name}Help`),
    value: value === null ? null : number(value, digits),
  }));
  return <MeasureList measures={told} />;
}
