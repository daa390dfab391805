/** Two languages, the same keys; 조사 as they are spoken. */
import { afterEach, expect, test } from "vitest";
import { ago, bytes, duration, languageName, parameters } from "./format";
import { messages, preferredLanguage, setLanguage } from "./i18n";
import { withJosa } from "./josa";

afterEach(() => setLanguage("en"));

test.each([
  ["모델", "을/를", "모델을"],
  ["지도", "을/를", "지도를"],
  ["gpt2", "을/를", "gpt2를"], // 투
  ["warm-cedar-299", "와/과", "warm-cedar-299와"], // 구
  ["quick-otter-301", "와/과", "quick-otter-301과"], // 일
  ["SmolLM", "은/는", "SmolLM은"], // 엠
  ["EPS", "은/는", "EPS는"],
  ["“모델”", "이/가", "“모델”이"],
  ["서울", "으로/로", "서울로"],
])("%s + %s", (word, pair, said) => expect(withJosa(word, pair)).toBe(said));

test("words follow the language; a value gets its 조사", () => {
  const { t } = messages("test", {
    en: { hello: "Hello {{name}}", n_one: "{{count}} run", n_other: "{{count}} runs" },
    ko: { hello: "{{name, josa(pair: 을/를)}} 불러요", n_other: "{{count}}건" },
  });
  setLanguage("en");
  expect([t("hello", { name: "gpt2" }), t("n", { count: 1 }), t("n", { count: 2 })]).toEqual([
    "Hello gpt2",
    "1 run",
    "2 runs",
  ]);
  setLanguage("ko");
  expect([t("hello", { name: "gpt2" }), t("n", { count: 1 })]).toEqual(["gpt2를 불러요", "1건"]);
  expect(document.documentElement.lang).toBe("ko");
});

test("the browser's language first, then what was chosen", () => {
  localStorage.clear();
  Object.defineProperty(navigator, "languages", { value: ["fr-FR", "ko-KR", "en"], configurable: true });
  expect(preferredLanguage()).toBe("ko");
  setLanguage("en");
  expect(preferredLanguage()).toBe("en");
});

test("sizes, times and names in both languages", () => {
  setLanguage("en");
  expect([bytes(269_000_000), bytes(1_400_000_000), bytes(12), parameters(134_515_008)]).toEqual([
    "269 MB",
    "1.4 GB",
    "12 B",
    "135M",
  ]);
  expect([duration(4.23), duration(360), languageName("ko")]).toEqual(["4.2 sec", "6 min", "Korean"]);
  setLanguage("ko");
  expect([parameters(134_515_008), duration(360), languageName("en")]).toEqual(["1.35억", "6분", "영어"]);
  expect(ago("2026-11-21T00:00:00Z", Date.parse("2026-11-22T01:00:00Z"))).toBe("어제");
});
