/** Takes tokens and machine paths out of a text before it is copied or shown. Knows only their shapes. */

const RULES: readonly [RegExp, string][] = [
  [/\bhf_[A-Za-z0-9]{8,}/g, "hf_…"],
  [/\bBearer\s+[^\s"',;…]+/gi, "Bearer …"],
  [/\b(token|cookie|imfine_session)(["']?\s*[:= ]\s*["']?)[^\s"'&,;]{6,}/gi, "$1$2…"],
  [/([?&](?:token|key|secret)=)[^\s&"']+/gi, "$1…"],
  [/\b[A-Za-z]:\\(?:[^\s\\"':]+\\)+/g, "…\\"],
  [
    /(?<![\w:/.])\/(?:home|root|Users|work|tmp|var|mnt|opt|srv|data|private|usr|etc|run)\/(?:[^\s/"':]+\/)*/g,
    "…/",
  ],
];

export function redact(text: string): string {
  return RULES.reduce((left, [shape, instead]) => left.replace(shape, instead), text);
}
