/** Words of the strip. */
import { messages } from "@/shared/i18n/i18n";

export const { useT } = messages("activity", {
  en: {
    label: "Running work",
    more_one: "and {{count}} more",
    more_other: "and {{count}} more",
    cancel: "Cancel",
    show: "Show",
    queued: "waiting",
    queued_first: "next in line",
    queued_at_one: "{{count}} before it",
    queued_at_other: "{{count}} before it",
    downloading: "downloading",
    loading: "loading the model",
    working: "answering",
    drawing: "drawing",
    training: "training",
    measuring: "measuring",
    saving: "saving",
    waiting: "waiting for room",
    left: "{{time}} left",
    of: "{{done}} of {{total}}",
    attempt: "attempt {{n}}",
  },
  ko: {
    label: "진행 중인 작업",
    more_other: "외 {{count}}건",
    cancel: "취소",
    show: "보기",
    queued: "기다리는 중",
    queued_first: "다음 차례예요",
    queued_at_other: "앞에 {{count}}건",
    downloading: "받는 중",
    loading: "모델 불러오는 중",
    working: "답하는 중",
    drawing: "그리는 중",
    training: "학습 중",
    measuring: "재는 중",
    saving: "저장 중",
    waiting: "자리를 기다리는 중",
    left: "남은 시간 {{time}}",
    of: "{{done}} / {{total}}",
    attempt: "{{n}}번째 시도",
  },
});

const PHASES = ["waiting", "downloading", "loading", "working", "training", "measuring", "saving"] as const;

/** The word for a phase; one we do not know is work, and work in parts is pictures that are drawn to learn on. */
export function phaseWord(name: string | undefined, unit?: string): (typeof PHASES)[number] | "drawing" {
  if (name === "working" && unit === "parts") return "drawing";
  return PHASES.find((phase) => phase === name) ?? "working";
}
