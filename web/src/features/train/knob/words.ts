/** The words of a knob that is learned between two phrases, Korean and English alike. Knows no component. */
import { messages } from "@/shared/i18n/i18n";

const en = {
  way: {
    title: "What to learn from",
    pictures: "From your pictures",
    picturesWords: "It learns to draw as your pictures do, and becomes a new model.",
    words: "From two phrases",
    wordsWords:
      "It learns to move between two opposites, such as smiling and crying, and gets one more knob. Without any pictures.",
  },
  title: "What the knob turns",
  examples: "Examples",
  example: { smile: "smile", region: "REGION", warmth: "warmth" },
  plus: "Turned up, it goes towards",
  plusExample: "for example: smiling face",
  minus: "Turned down, it goes towards",
  minusExample: "for example: crying face",
  neutral: "What it is for (may stay empty)",
  neutralHint: "One a line: a cat, a house. It is learned on these; left empty, on anything.",
  expert: {
    summary: "{{steps}} steps · strength {{eta}} · rank {{rank}}",
    learn: "Learning",
    machine: "Memory and speed",
    eta: "Strength",
    etaHelp:
      "How far 1 goes, in differences between the two phrases. More is stronger and may spoil the shapes.",
    lrHelp:
      "How far every step moves the numbers. Too high and the pictures fall apart, too low and the knob does little.",
    rankHelp:
      "How wide the small matrices are. A direction needs little; larger ones also learn what you did not mean.",
    count: "Pictures it draws first",
    countHelp:
      "The model draws these itself and learns on them. More of them: more even, and longer before it begins.",
  },
  name: "Name of the knob",
  nameHint: "Found under this name in Create, beside the other knobs.",
  start: "Learn this knob",
  why: {
    no_plus: "Say first what it goes towards when it is turned up.",
    no_minus: "Say first what it goes towards when it is turned down.",
    same: "Both say the same. Give opposites.",
    many: "Too many lines: 64 at most.",
    no_memory: "It does not fit into memory so.",
    bad_name: "Give the knob a name that can be used.",
  },
  result: {
    words: "Above 0 it goes towards “{{plus}}”, below 0 towards “{{minus}}”; at 0 the model is as it was.",
    try: "Try it",
    tryWords: "Opens Create with the knob at 1.",
  },
} as const;

const ko = {
  way: {
    title: "무엇으로 가르칠까요",
    pictures: "내 그림으로",
    picturesWords: "내 그림처럼 그리는 법을 배워 새 모델이 돼요.",
    words: "두 마디 말로",
    wordsWords:
      "웃는 얼굴과 우는 얼굴처럼 서로 반대인 두 마디 사이를 오가는 법을 배워, 손잡이가 하나 늘어요. 그림은 없어도 돼요.",
  },
  title: "손잡이로 무엇을 바꿀까요",
  examples: "예시",
  example: { smile: "웃음", region: "REGION", warmth: "따뜻함" },
  plus: "올리면 이렇게",
  plusExample: "예: smiling face",
  minus: "내리면 이렇게",
  minusExample: "예: crying face",
  neutral: "무엇에 쓸까요 (비워도 돼요)",
  neutralHint: "한 줄에 하나씩 적어요: a cat, a house. 이것들을 보고 배우고, 비워 두면 무엇이든 보고 배워요.",
  expert: {
    summary: "{{steps}}스텝 · 세기 {{eta}} · 랭크 {{rank}}",
    learn: "학습",
    machine: "메모리와 속도",
    eta: "세기",
    etaHelp:
      "1이 얼마나 멀리 가는지예요. 두 마디의 차이를 몇 배로 배울지로 정해요. 크면 세지지만 모양이 망가질 수 있어요.",
    lrHelp:
      "한 스텝에 수를 얼마나 옮길지예요. 너무 크면 그림이 무너지고, 너무 작으면 손잡이를 돌려도 거의 그대로예요.",
    rankHelp: "작은 행렬의 너비예요. 한 방향을 배우는 데는 작아도 돼요. 크면 뜻하지 않은 것까지 배워요.",
    count: "먼저 그려 볼 그림",
    countHelp: "모델이 직접 그려 놓고 이것을 보며 배워요. 많을수록 고르게 배우고, 시작하기까지 오래 걸려요.",
  },
  name: "손잡이의 이름",
  nameHint: "만들기에서 다른 손잡이와 나란히 이 이름으로 보여요.",
  start: "손잡이 배우기",
  why: {
    no_plus: "올리면 어떻게 될지 먼저 적어 주세요.",
    no_minus: "내리면 어떻게 될지 먼저 적어 주세요.",
    same: "두 마디가 똑같아요. 서로 반대인 말을 적어 주세요.",
    many: "줄이 너무 많아요. 64줄까지예요.",
    no_memory: "이대로는 메모리에 들어가지 않아요.",
    bad_name: "쓸 수 있는 이름을 적어 주세요.",
  },
  result: {
    words: "0보다 올리면 ‘{{plus}}’ 쪽으로, 내리면 ‘{{minus}}’ 쪽으로 가요. 0이면 원래 모델 그대로예요.",
    try: "써 보기",
    tryWords: "만들기에서 손잡이를 1에 두고 열어요.",
  },
};

export const { useT: useKnobT } = messages("knob", { en, ko });
