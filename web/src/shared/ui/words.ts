/** The words of what every screen is made of. */
import { messages } from "@/shared/i18n/i18n";

export const { useT: useUiT } = messages("ui", {
  en: {
    help: "What is this?",
    seed: "Seed",
    newSeed: "Draw another seed",
    outOfRange: "Give a number from {{min}} to {{max}}",
  },
  ko: {
    help: "이게 뭔가요?",
    seed: "시드",
    newSeed: "시드 새로 뽑기",
    outOfRange: "{{min}}에서 {{max}} 사이의 수를 적어 주세요",
  },
});
