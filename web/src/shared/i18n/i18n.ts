/**
 * Korean and English, equal; the browser's language first. Knows no feature's words: each brings its own with
 * `messages()`, typed: a key that Korean lacks, or that nobody defined, does not compile.
 */
import i18next, { type TOptions } from "i18next";
import { useSyncExternalStore } from "react";
import { initReactI18next } from "react-i18next";
import { withJosa } from "./josa";

export type Language = "ko" | "en";
export const LANGUAGES: readonly Language[] = ["ko", "en"];
const KEPT_AS = "imfine.language";

export type Messages = { readonly [key: string]: string | Messages };
/** The same keys with other words. Korean has no plural form: a `…_one` may be left out, `…_other` is enough. */
type SameKeys<M> = {
  [K in keyof M as K extends `${string}_one` ? never : K]: M[K] extends string ? string : SameKeys<M[K]>;
};
type Base<K extends string> = K extends `${infer B}_one` | `${infer B}_other` ? B : K;
export type Key<M> = {
  [K in keyof M & string]: M[K] extends string ? Base<K> : `${K}.${Key<M[K]>}`;
}[keyof M & string];
export type T<M> = (key: Key<M>, params?: TOptions & Record<string, unknown>) => string;

export function preferredLanguage(): Language {
  const kept = localStorage.getItem(KEPT_AS);
  if (kept === "ko" || kept === "en") return kept;
  for (const tag of navigator.languages) {
    if (tag.toLowerCase().startsWith("ko")) return "ko";
    if (tag.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

export function setLanguage(language: Language): void {
  localStorage.setItem(KEPT_AS, language);
  void i18next.changeLanguage(language);
}

export function language(): Language {
  return i18next.language === "ko" ? "ko" : "en";
}

/** The language of the page, and a new rendering when it changes. */
export function useLanguage(): Language {
  return useSyncExternalStore(onLanguage, language);
}

function onLanguage(changed: () => void): () => void {
  i18next.on("languageChanged", changed);
  return () => i18next.off("languageChanged", changed);
}

void i18next.use(initReactI18next).init({
  lng: preferredLanguage(),
  fallbackLng: "en",
  resources: {},
  initAsync: false,
  showSupportNotice: false,
  interpolation: { escapeValue: false }, // React escapes
  react: { useSuspense: false, bindI18nStore: "" },
});
i18next.services.formatter?.add("josa", (value, _lng, options) =>
  withJosa(String(value), String(options.pair)),
);
document.documentElement.lang = language();
i18next.on("languageChanged", (lng) => {
  document.documentElement.lang = lng;
});

/** A feature's words. `{{name, josa(pair: 은/는)}}` puts the right 조사 behind a value. */
export function messages<const M extends Messages>(namespace: string, words: { en: M; ko: SameKeys<M> }) {
  i18next.addResourceBundle("en", namespace, words.en, true, true);
  i18next.addResourceBundle("ko", namespace, words.ko, true, true);
  const spoken: Partial<Record<Language, T<M>>> = {};
  const spokenIn = (lng: Language): T<M> => {
    spoken[lng] ??= remembering(i18next.getFixedT(lng, namespace) as unknown as T<M>);
    return spoken[lng];
  };
  return {
    useT: (): T<M> => spokenIn(useLanguage()),
    /** Outside of components: the words of the moment, not renewed when the language changes. */
    t: ((key, params) => spokenIn(language())(key, params)) as T<M>,
  };
}

/** Words without a number in them are looked up once: a page asks for hundreds of them while an answer streams. */
function remembering<M>(t: T<M>): T<M> {
  const known = new Map<Key<M>, string>();
  return (key, params) => {
    if (params) return t(key, params);
    const words = known.get(key) ?? t(key);
    known.set(key, words);
    return words;
  };
}
