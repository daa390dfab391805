/** Numbers, sizes, times in the page's language. Knows no screen. */
import { language } from "./i18n";

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** Decimal units, as disks and downloads are sold: 270 MB. */
export function bytes(count: number): string {
  let value = Math.max(0, count);
  let unit = 0;
  while (value >= 1000 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return `${number(value, digits)} ${UNITS[unit]}`;
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(language(), { maximumFractionDigits: digits }).format(value);
}

/** 135 M, 6.7 B in English; 1.4억, 67억 in Korean. */
export function parameters(count: number): string {
  return new Intl.NumberFormat(language(), { notation: "compact", maximumSignificantDigits: 3 }).format(
    count,
  );
}

export function percent(share: number, digits = 0): string {
  return new Intl.NumberFormat(language(), { style: "percent", maximumFractionDigits: digits }).format(share);
}

export function duration(seconds: number): string {
  const unit = (value: number, name: "second" | "minute" | "hour", digits = 0) =>
    new Intl.NumberFormat(language(), {
      style: "unit",
      unit: name,
      unitDisplay: "short",
      maximumFractionDigits: digits,
    }).format(value);
  if (seconds < 10) return unit(seconds, "second", 1);
  if (seconds < 60) return unit(Math.round(seconds), "second");
  if (seconds < 3600) return unit(Math.round(seconds / 60), "minute");
  return unit(seconds / 3600, "hour", 1);
}

export function dateTime(iso: string): string {
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium", timeStyle: "medium" }).format(
    new Date(iso),
  );
}

/** "3 minutes ago", "어제"; older than a week: the date. */
export function ago(iso: string, now = Date.now()): string {
  const seconds = (new Date(iso).getTime() - now) / 1000;
  const relative = new Intl.RelativeTimeFormat(language(), { numeric: "auto" });
  const away = Math.abs(seconds);
  if (away < 60) return relative.format(Math.round(seconds), "second");
  if (away < 3600) return relative.format(Math.round(seconds / 60), "minute");
  if (away < 86400) return relative.format(Math.round(seconds / 3600), "hour");
  if (away < 7 * 86400) return relative.format(Math.round(seconds / 86400), "day");
  return new Intl.DateTimeFormat(language(), { dateStyle: "medium" }).format(new Date(iso));
}

/** A model's language tag in words: "en" → English, 영어. */
export function languageName(tag: string): string {
  try {
    return new Intl.DisplayNames(language(), { type: "language" }).of(tag) ?? tag;
  } catch {
    return tag; // not a language tag
  }
}
