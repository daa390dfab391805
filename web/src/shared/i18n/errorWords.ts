/** What each error is called. English: the server's own sentence, which carries fact and value. Korean: by `code`, filled
 * from value and params; the server's sentence stays in the log to copy. Unknown codes keep the server's words. */
import type { ImfineError } from "../errors";
import { messages, useLanguage } from "./i18n";

const { useT } = messages("errors", {
  en: {
    cause: "What happened",
    remedy: "What to do",
    details: "Details",
    copy: "Copy log",
    copied: "Copied",
    retry: "Try again",
    unreachable: "The I'm Fine server does not answer.",
    unreachable_remedy: "Is `imfine up` still running? The page goes on by itself once it is back.",
    unknown_answer: "The server gave an answer this page does not understand.",
    unknown_answer_remedy: "Reload the page. If a proxy stands before the server, look at its log.",
    bug: "Something went wrong in this page.",
    bug_remedy: "Copy the log, reload the page, and tell us about it.",
  },
  ko: {
    cause: "무슨 일인가요",
    remedy: "이렇게 해 보세요",
    details: "자세히",
    copy: "로그 복사",
    copied: "복사했어요",
    retry: "다시 시도",
    unreachable: "아임파인 서버가 응답하지 않아요.",
    unreachable_remedy: "`imfine up`이 켜져 있는지 확인해 주세요. 서버가 돌아오면 저절로 이어져요.",
    unknown_answer: "서버가 알 수 없는 답을 보냈어요.",
    unknown_answer_remedy: "페이지를 새로 고쳐 주세요. 서버 앞에 프록시가 있다면 그 로그를 살펴보세요.",
    bug: "이 페이지에서 문제가 생겼어요.",
    bug_remedy: "로그를 복사해 알려 주시고, 페이지를 새로 고쳐 주세요.",
  },
});

/** code, code.reason or code@field → [cause, remedy]; {{…}} from value, field and params. A value that is not said is put behind. */
const KOREAN: Record<string, readonly [cause: string, remedy: string]> = {
  invalid: ["쓸 수 없는 값이에요: {{field}} = {{value}}", "값을 고쳐 다시 보내 주세요."],
  recipe: [
    "이 모델에 맞지 않는 설정이에요: {{field}} = {{value}}",
    "범위와 층 수를 확인해 주세요. 원래대로 되돌리면 언제나 안전해요.",
  ],
  "recipe.unknown_delta": [
    "이 모델에는 그런 델타가 없어요: {{value}}",
    "이 모델로 학습하거나, 맞는 LoRA를 놓아 주세요.",
  ],
  "recipe.band_length": [
    "층별 값이 {{value}}개인데 이 모델은 {{layers}}층이에요.",
    "값을 {{layers}}개로 맞춰 주세요. 다른 모델에서 가져온 설정일 수 있어요.",
  ],
  "recipe.eps_limit": ["EPS가 이 모델의 한계를 넘어요: {{value}}", "{{limit}} 이하로 낮춰 주세요."],
  "recipe.unknown_point": [
    "이 모델에 없는 지점이에요: {{value}}",
    "이 계열이 가진 지점 가운데서 골라 주세요.",
  ],
  "recipe.unknown_key": [
    "설정에 모르는 이름이 있어요: {{field}}",
    "eps, attn, mlp, bands, points만 쓸 수 있어요.",
  ],
  sampling: ["쓸 수 없는 생성 설정이에요: {{field}} = {{value}}", "값을 범위 안으로 고쳐 주세요."],
  prompt_too_long: [
    "문장이 {{tokens}}토큰이라, 모델이 한 번에 읽는 {{limit}}토큰을 넘어요.",
    "문장을 줄이거나 문맥이 더 긴 모델을 골라 주세요.",
  ],
  unsupported_architecture: [
    "아직 다룰 줄 모르는 구조의 모델이에요.",
    "Llama, GPT-2, Mistral, Qwen2·3, Gemma, GPT-NeoX, Phi-3 계열 모델을 골라 주세요.",
  ],
  model_not_found: [
    "그런 이름의 모델을 찾지 못했어요.",
    "철자를 확인해 주세요. Hub 주소는 '소유자/이름' 꼴이에요.",
  ],
  model_gated: [
    "이용 약관에 동의해야 받을 수 있는 모델이에요.",
    "Hugging Face의 모델 페이지에서 약관에 동의하고, HF_TOKEN을 설정한 뒤 다시 시도해 주세요.",
  ],
  "model_gated@data": [
    "이용 약관에 동의해야 받을 수 있는 데이터예요.",
    "Hugging Face의 데이터 세트 페이지에서 약관에 동의하고, HF_TOKEN을 설정한 뒤 다시 시도해 주세요.",
  ],
  "not_found@data": [
    "Hugging Face Hub에 그런 데이터가 없어요: {{value}}",
    "철자를 확인해 주세요. 주소는 '소유자/이름' 꼴이고, 비공개라면 HF_TOKEN이 있어야 보여요.",
  ],
  "no_network@data": [
    "이 컴퓨터에 없는 데이터인데, 지금은 Hugging Face Hub에 연결할 수 없어요.",
    "인터넷 연결을 확인하거나, 가지고 있는 파일을 놓아 주세요.",
  ],
  no_network: [
    "이 컴퓨터에 없는 모델인데, 지금은 Hugging Face Hub에 연결할 수 없어요.",
    "인터넷 연결을 확인하거나, 이미 받아 둔 모델을 골라 주세요.",
  ],
  model_refused: [
    "안전하지 않거나 허용된 폴더 밖에 있는 모델이라 열지 않았어요.",
    "safetensors나 GGUF로 저장되고 자체 코드가 없는 모델을, 목록이나 '소유자/이름' 주소로 골라 주세요.",
  ],
  adapter: [
    "이 모델에 맞는 어댑터가 아니에요: {{value}}",
    "이 모델로 만든 LoRA나 DoRA를 safetensors로 주세요 (PEFT, diffusers, kohya).",
  ],
  model_broken: ["모델 파일이 잘렸거나 망가졌어요.", "파일을 지우고 다시 받아 주세요."],
  out_of_memory: [
    "메모리에 들어가지 않아요.",
    "더 작은 모델을 고르거나, 답을 줄이거나, 다른 프로그램을 닫아 주세요.",
  ],
  "out_of_memory@slider.batch": [
    "한 번에 그림 {{value}}장을 배우기에는 메모리가 모자라요.",
    "한 번에 볼 그림을 줄이거나, 다른 프로그램을 닫아 주세요.",
  ],
  broken_numbers: [
    "설정이 너무 세서 모델의 계산이 무너졌어요. 다음 낱말을 고를 수 없어요.",
    "손잡이를 1에 더 가깝게 돌려 주세요.",
  ],
  data: ["데이터를 읽을 수 없어요.", "JSON Lines, CSV, Parquet, 일반 텍스트 가운데 하나로 주세요."],
  "data.lines": ["{{line}}번째 줄에서 틀린 곳을 찾았어요.", "그 줄을 고친 뒤 파일을 다시 주세요."],
  "data.columns": [
    "질문과 답이 어느 열인지 알 수 없어요. 있는 열: {{columns}}",
    "어느 열이 질문이고 어느 열이 답인지 알려 주세요.",
  ],
  "data.nothing": ["배울 것이 하나도 없는 파일이에요.", "배울 예시가 하나라도 있는 파일을 주세요."],
  "data.pictures": [
    "쓸 수 있는 그림이 하나도 없어요. 첫 번째는 이거예요: {{value}}",
    "다른 프로그램에서 열리는 PNG, JPEG, WebP 파일을 주세요.",
  ],
  "data.format": [
    "글로 읽을 수 없는 파일이에요: {{value}}",
    "JSON Lines, CSV, Parquet, 일반 텍스트나 그것을 묶은 zip으로 주세요. 다른 방식으로 압축했다면 먼저 풀어 주세요.",
  ],
  "data.several_formats": ["형식이 다른 파일이 섞여 있어요: {{value}}", "한 가지 형식의 파일만 묶어 주세요."],
  "data.parquet": ["읽을 수 없는 Parquet 파일이에요: {{value}}", "다시 저장하거나 CSV, JSON Lines로 주세요."],
  "data.zip": ["이 zip은 받을 수 없어요: {{value}}", "파일을 줄여 다시 묶어 주세요."],
  "data.zip_damaged": ["zip이 망가졌어요: {{value}}", "다시 묶어 주세요."],
  "data.template": [
    "이 모델의 대화 틀이 이런 순서의 대화를 받지 않아요.",
    "대화의 역할을 바꾸거나 다른 모델을 골라 주세요.",
  ],
  not_kept: [
    "디스크에 자리가 없거나 쓸 수 없어서 저장하지 못했어요.",
    "디스크를 비운 뒤 다시 시도해 주세요.",
  ],
  training_diverged: [
    "{{step}}스텝에서 학습이 무너졌어요. 손실이 걷잡을 수 없이 커졌어요. 학습률 = {{value}}",
    "학습률을 {{lr}} 정도로 낮춰 다시 해 보세요.",
  ],
  not_found: ["찾는 것이 없어요.", "지워졌거나 주소가 바뀌었을 수 있어요."],
  "conflict@name": ["이미 쓰고 있는 이름이에요: {{value}}", "다른 이름을 적어 주세요."],
  conflict: ["이미 있는 것과 어긋나는 요청이에요.", "새로 고쳐 지금 상태를 확인해 주세요."],
  unauthorized: ["토큰이 없거나 맞지 않아요.", "`imfine up`이 알려 준 주소로 다시 들어와 주세요."],
  too_many_tries: ["틀린 토큰을 너무 여러 번 넣었어요.", "잠시 기다렸다가 다시 넣어 주세요."],
  forbidden: ["허용되지 않은 주소에서 온 요청이에요.", "서버를 켠 컴퓨터의 주소로 들어왔는지 확인해 주세요."],
  "too_large@data": [
    "데이터가 서버가 받는 크기를 넘어요.",
    "owner/name/폴더처럼 폴더까지 적어 일부만 받거나, 서버에서 imfine train으로 학습해 주세요.",
  ],
  too_large: ["보낸 내용이 너무 커요.", "내용을 줄여 다시 보내 주세요."],
  unavailable: ["서비스 일부가 잠시 자리를 비웠어요.", "잠시 뒤에 다시 시도해 주세요."],
  setup: ["이 컴퓨터에 필요한 것이 빠져 있어요.", "`imfine doctor`를 실행하면 무엇이 빠졌는지 알려 줘요."],
  worker_lost: [
    "이 작업을 맡은 워커가 거듭 멈춰서 그만두었어요.",
    "더 작은 모델이나 더 짧은 답으로 다시 시도해 주세요.",
  ],
  internal: ["서버 안에서 문제가 생겼어요.", "로그를 복사해 알려 주세요. 다시 시도하면 될 수도 있어요."],
};

const OURS = ["unreachable", "unknown_answer", "bug"] as const;

function fill(text: string, error: ImfineError): string {
  const values: Record<string, unknown> = {
    ...error.params,
    field: error.field,
    value: error.value === "" ? "(빈칸)" : error.value,
  };
  return text.replace(/\{\{(\w+)\}\}/g, (_, key: string) => String(values[key] ?? "–"));
}

function inKorean(error: ImfineError): { cause: string; remedy: string } | null {
  const { code, field, params } = error;
  const words = KOREAN[`${code}.${params.reason}`] ?? KOREAN[`${code}@${field}`] ?? KOREAN[code];
  if (!words) return null;
  const [cause, remedy] = words;
  const unsaid = error.value !== null && error.value !== "" && !cause.includes("{{");
  const value = unsaid ? ` (${String(error.value).replace(/^'(.*)'$/, "$1")})` : "";
  const whole =
    error.field === null && cause.includes("{{field}}") ? cause.slice(0, cause.indexOf(":")) : cause;
  return { cause: fill(whole, error) + value, remedy: fill(remedy, error) };
}

export function useErrorWords(): (error: ImfineError) => { cause: string; remedy: string } {
  const language = useLanguage();
  const t = useT();
  return (error) => {
    const ours = OURS.find((code) => code === error.code);
    if (ours) return { cause: t(ours), remedy: t(`${ours}_remedy`) };
    const korean = language === "ko" ? inKorean(error) : null;
    return korean ?? { cause: error.message, remedy: error.remedy };
  };
}

export const useErrorNoteT = useT;
