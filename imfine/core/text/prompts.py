"""A request's words to token ids: the tokenizer's own chat template, or the words as they stand.

transformers renders templates in jinja's immutable sandbox: a template is data, never code. Knows no lanes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from jinja2 import TemplateError

from imfine.core.sampling import is_halved
from imfine.errors import Invalid

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: Role
    content: str


Prompt = str | tuple[Message, ...]


def encode(tokenizer: Any, prompt: Prompt, *, raw: bool) -> list[int]:
    """The ids of a prompt, at least one. Without a template (or `raw`) the words are completed as they stand.

    Raises:
        Invalid: the prompt is empty, cannot be encoded, or its turns do not fit the model's template.
    """
    words = [prompt] if isinstance(prompt, str) else [m.content for m in prompt]
    if not words or not all(words):
        raise Invalid("the prompt is empty", remedy="write a text", field="prompt", value="")
    if any(map(is_halved, words)):
        raise Invalid(
            "the prompt holds half of a surrogate pair", remedy="send whole characters", field="prompt"
        )
    if raw or tokenizer.chat_template is None:
        ids: list[int] = tokenizer("\n".join(words)).input_ids
    else:
        text = _rendered(tokenizer, prompt)
        ids = tokenizer(text, add_special_tokens=False).input_ids
    if not ids:
        raise Invalid(
            f"the prompt {prompt!r} has no token", remedy="write a text", field="prompt", value=str(prompt)
        )
    return ids


def _rendered(tokenizer: Any, prompt: Prompt) -> str:
    messages = (Message("user", prompt),) if isinstance(prompt, str) else prompt
    _check(messages)
    turns = [{"role": m.role, "content": m.content} for m in messages]
    try:
        text: str = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    except (TemplateError, TypeError, ValueError, LookupError, ArithmeticError) as e:
        # a template may refuse, e.g. Gemma's a system turn; and it is the model's, so it may be wrong
        raise Invalid(
            f"the model's chat template refuses these turns: {str(e) or type(e).__name__}",
            remedy="change the turns' roles, or complete the text as it stands (raw)",
            field="prompt",
            value=" ".join(m.role for m in messages),
        ) from e
    return text


def _check(messages: Sequence[Message]) -> None:
    roles = get_args(Role)
    for i, message in enumerate(messages):
        if message.role not in roles:
            raise Invalid(
                f"turn {i} has the role {message.role!r}",
                remedy=f"use {', '.join(roles)}",
                field=f"messages.{i}.role",
                value=message.role,
            )
    if messages[-1].role != "user":
        raise Invalid(
            f"the last turn is {messages[-1].role}'s",
            remedy="end with what the user says",
            field=f"messages.{len(messages) - 1}.role",
            value=messages[-1].role,
        )
