/** The right 조사 behind any word, also behind digits and Latin letters, as they are read aloud in Korean. */
import { josa } from "es-hangul";

/** How the last sound of a digit or of a letter's name is spelled: only whether (and which) 받침 it has matters. */
const READ_AS: Record<string, string> = {
  "0": "영",
  "1": "일",
  "2": "이",
  "3": "삼",
  "4": "사",
  "5": "오",
  "6": "육",
  "7": "칠",
  "8": "팔",
  "9": "구",
  l: "엘",
  m: "엠",
  n: "엔",
  r: "알",
};

type Pair = Parameters<typeof josa>[1];

export function withJosa(word: string, pair: string): string {
  const bare = word.replace(/[\s"'”’)\]}.,!?]+$/u, "");
  const last = bare.at(-1)?.toLowerCase() ?? "";
  const sound = /[가-힣]/u.test(last) ? last : (READ_AS[last] ?? "이");
  return word + josa.pick(sound, pair as Pair);
}
