/** Words of signing in. */
import { messages } from "@/shared/i18n/i18n";

export const { useT } = messages("session", {
  en: {
    hello: "I'm Fine",
    lead: "An equalizer for a language model's weights",
    ask: "This page belongs to whoever started the server. Enter its token to come in.",
    again: "You have been signed out. Enter the token and go on where you were; nothing is lost.",
    token: "Token",
    enter: "Come in",
    where: "Where is the token?",
    where_terminal:
      "The terminal where you ran `make up` or `imfine up` shows an address with a token that works once. Open that address.",
    where_file: "Or paste the lasting token from this file:",
    wrong: "This token is wrong or has been used before. Look at the terminal for the newest address.",
    unreachable: "The I'm Fine server does not answer.",
    unreachable_remedy: "Start it with `make up` or `imfine up`, then try again.",
    retry: "Try again",
  },
  ko: {
    hello: "아임파인",
    lead: "언어 모델의 가중치를 만지는 이퀄라이저",
    ask: "이 페이지는 서버를 켠 사람만 쓸 수 있어요. 토큰을 넣고 들어와 주세요.",
    again: "로그아웃되었어요. 토큰을 다시 넣으면 하던 데서 이어져요. 잃어버린 건 없어요.",
    token: "토큰",
    enter: "들어가기",
    where: "토큰은 어디에 있나요?",
    where_terminal:
      "`make up`이나 `imfine up`을 실행한 터미널에 한 번만 쓸 수 있는 토큰이 담긴 주소가 나와 있어요. 그 주소를 열면 돼요.",
    where_file: "아니면 이 파일에 적힌 토큰을 붙여 넣어 주세요.",
    wrong: "토큰이 틀렸거나 이미 쓴 것이에요. 터미널에 나온 가장 최근 주소를 확인해 주세요.",
    unreachable: "아임파인 서버가 응답하지 않아요.",
    unreachable_remedy: "`make up`이나 `imfine up`으로 서버를 켠 뒤 다시 시도해 주세요.",
    retry: "다시 시도",
  },
});
