/** What is told of a data set, and what is wrong in its lines, in the page's language. English: the server's own words
 *  where they are about single values; Korean: by code, and by the phrases core uses. */
import type { Finding } from "@/api/train";
import { number } from "@/shared/i18n/format";
import { useLanguage } from "@/shared/i18n/i18n";
import { useT } from "../words";

/** One of `params.errors` of a data set that was refused. */
export interface LineError {
  file: string | null;
  line: number;
  field: string;
  expected: string;
  found: string;
}

const COUNTED = [
  "duplicates",
  "no_caption",
  "empty_captions",
  "too_small",
  "empty_rows",
  "no_answer",
  "skipped_files",
  "too_long",
  "answer_cut",
  "template_unstable",
  "template_refused",
] as const;
const PLAIN = ["all_equal", "one_row", "unused_fields"] as const;
const SHOWN_LINES = 5;
const SHOWN_FILES = 3;
const PICTURE = /\.(png|jpe?g|webp|bmp)$/i;

export function useFindingWords(): (finding: Finding) => { said: string; where: string } {
  const t = useT();
  const why = useWhy();
  return ({ code, message, params, lines }) => {
    const counted = COUNTED.find((one) => one === code);
    const plain = PLAIN.find((one) => one === code);
    const values = Object.fromEntries(
      Object.entries(params).map(([key, value]) => [
        key,
        key === "count"
          ? value
          : typeof value === "number"
            ? number(value)
            : String(value).replaceAll(",", ", "),
      ]),
    );
    const said = counted
      ? t(`findings.${counted}`, values)
      : plain
        ? t(`findings.${plain}`, values)
        : message;
    const files = Array.isArray(params.files) ? params.files.map(String) : [];
    const alone = files.length > 0 && files.every((file) => PICTURE.test(file)); // a picture has no lines
    const places = lines.slice(0, SHOWN_LINES).map((line, i) => {
      const file = files[i];
      return file === undefined ? number(line) : PICTURE.test(file) ? file : `${file}:${line}`;
    });
    const skipped = skippedOf(params);
    if (skipped.length > 0) {
      const named = skipped.slice(0, SHOWN_FILES).map((one) => `${one.file} (${why(one.why)})`);
      return { said, where: named.join(", ") + (skipped.length > SHOWN_FILES ? ", …" : "") };
    }
    if (places.length === 0) return { said, where: "" };
    const more = (typeof params.count === "number" ? params.count : lines.length) - places.length;
    const listed = places.join(", ");
    const named = code === "too_small" ? "places" : alone ? "files" : "lines";
    const where =
      more > 0
        ? t(`findings.${named}More`, { lines: listed, count: more })
        : t(`findings.${named}`, { lines: listed, count: places.length });
    return { said, where };
  };
}

type Skipped = { file: string; why: string };
const skippedOf = ({ skipped }: Record<string, unknown>): Skipped[] =>
  Array.isArray(skipped) ? (skipped as Skipped[]) : [];

/** Why a file was left out. */
function useWhy(): (reason: string) => string {
  const korean = useLanguage() === "ko";
  return (reason) => {
    if (!korean) return reason;
    const known = SKIPPED_BECAUSE.find(([pattern]) => pattern.test(reason));
    return known ? reason.replace(...known) : reason;
  };
}

const SKIPPED_BECAUSE: readonly [RegExp, string][] = [
  [/^not a PNG, JPEG, WebP or BMP$/, "PNG, JPEG, WebP, BMP가 아니에요"],
  [/^no picture and no caption$/, "그림도 설명도 아니에요"],
  [/^damaged .*$/, "망가진 파일이에요"],
  [/^larger than ([\d,]+) bytes$/, "$1바이트보다 커요"],
  [/^([\d,]+) × ([\d,]+) pixels; .*$/, "$1 × $2픽셀이라 너무 커요"],
  [/^more than ([\d,]+) pixels$/, "$1픽셀보다 커요"],
  [/^not (.+)$/, "$1 형식이 아니에요"],
];

/** Core's phrases, as `expected` and `found` hold them. */
const KOREAN: Readonly<Record<string, string>> = {
  text: "글",
  "a list of turns": "대화의 목록",
  "a list of turns in JSON": "JSON으로 적은 대화 목록",
  "an object with role and content": "role과 content가 있는 객체",
  "system, user or assistant": "system, user, assistant 가운데 하나",
  'a part of the type "text"': '"text" 형식의 조각',
  "whole characters": "온전한 글자",
  "half of a surrogate pair": "반쪽짜리 글자(서로게이트)",
  "a JSON object on each line": "줄마다 JSON 객체 하나",
  "a JSON object": "JSON 객체",
  "a list of objects": "객체의 목록",
  "a comma or the end of the list": "쉼표나 목록의 끝",
  "an object": "객체",
  "nothing after the list": "목록 뒤에 아무것도 없음",
  "a comma before the end of the list": "목록 끝 앞의 쉼표",
  "something else": "다른 것",
  "a row of CSV": "CSV 한 줄",
  "a picture that is there": "들어 있는 그림",
  "no such field": "그런 항목이 없음",
  "an empty text": "빈 글",
  "an empty list": "빈 목록",
  "an empty object": "빈 객체",
  nothing: "없음(null)",
  "true or false": "참 또는 거짓",
  "a number": "숫자",
  "a list": "목록",
  more: "그보다 많음",
  JSON: "JSON",
};

export function useLineWords(): (phrase: string) => string {
  const korean = useLanguage() === "ko";
  return (phrase) => {
    if (!korean) return phrase;
    const columns = /^(\d+) columns$/.exec(phrase);
    if (columns) return `열 ${columns[1]}개`;
    const utf8 = /^(UTF-8|UTF-16)/.exec(phrase);
    if (utf8) return `${utf8[1]} 글자`;
    const most = /^at most ([\d,]+) bytes in a line$/.exec(phrase);
    if (most) return `한 줄에 ${most[1]}바이트까지`;
    const caption = /^a caption of at most ([\d,]+) bytes$/.exec(phrase);
    if (caption) return `${caption[1]}바이트까지의 설명`;
    const at = /^(.+) at column (\d+)$/.exec(phrase); // what Python's json says
    if (at) return `${at[2]}번째 글자에서: ${JSON_SAYS[at[1] ?? ""] ?? at[1]}`;
    return KOREAN[phrase] ?? phrase;
  };
}

const JSON_SAYS: Readonly<Record<string, string>> = {
  "Expecting value": "값이 있어야 해요",
  "Expecting ',' delimiter": "쉼표가 있어야 해요",
  "Expecting ':' delimiter": "쌍점(:)이 있어야 해요",
  "Expecting property name enclosed in double quotes": "큰따옴표로 묶은 이름이 있어야 해요",
  "Unterminated string starting at": "닫히지 않은 따옴표가 있어요",
  "Extra data": "뒤에 남는 것이 있어요",
  "Invalid control character at": "쓸 수 없는 제어 문자가 있어요",
  "Illegal trailing comma before end of object": "끝에 쉼표가 남아 있어요",
};

/** The lines that were named, out of what a refusal carries. */
export function lineErrors(params: Record<string, unknown>): { errors: LineError[]; total: number } {
  const errors = Array.isArray(params.errors) ? (params.errors as LineError[]) : [];
  return { errors, total: typeof params.total === "number" ? params.total : errors.length };
}
