"""A model's tokenizer and chat template without transformers, which would bring torch: to count and to show.

Says the same as transformers' own for a folder with tokenizer.json; a test holds it. The training loop takes
transformers' own.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import jinja2
from jinja2 import nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

from imfine.errors import ImfineError, ModelBroken

SPECIAL = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")


class Tokenizer:
    """As much of transformers' tokenizer as rendering needs."""

    def __init__(self, folder: Path) -> None:
        """Raises: ModelBroken for a folder whose tokenizer cannot be read."""
        from tokenizers import Tokenizer as Backend

        self._folder = folder
        config = self._json("tokenizer_config.json")
        try:
            self._backend = Backend.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # plain Exception is what tokenizers raises
            raise self._broken(f"tokenizer.json cannot be read ({str(error)[:200]})") from error
        self._backend.no_padding()
        self._backend.no_truncation()
        self._special = {name: _word(config[name]) for name in SPECIAL if config.get(name)}
        self.eos_token = self._special.get("eos_token")
        self.eos_token_id = None if self.eos_token is None else self._backend.token_to_id(self.eos_token)
        self.chat_template = self._template(config)

    def _json(self, name: str) -> dict[str, Any]:
        try:
            found = json.loads((self._folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise self._broken(f"{name} cannot be read ({str(error)[:200]})") from error
        return found if isinstance(found, dict) else {}

    def _template(self, config: dict[str, Any]) -> str | None:
        """A file of its own, or in the config: one, or several of which one is the default."""
        file = self._folder / "chat_template.jinja"
        if file.exists():
            return file.read_text(encoding="utf-8")
        found = config.get("chat_template")
        if isinstance(found, list):
            named = {each["name"]: each["template"] for each in found if isinstance(each, dict)}
            found = named.get("default")
        return found if isinstance(found, str) else None

    def _broken(self, what: str) -> ImfineError:
        return ModelBroken(
            f"{self._folder.name}: {what}",
            remedy="fetch the model once more",
            field="model",
            value=self._folder.name,
        )

    def __call__(
        self, texts: Sequence[str], *, add_special_tokens: bool = True, **_told: bool
    ) -> dict[str, list[Any]]:
        """`input_ids` and `offset_mapping` of each text, whatever else is asked for."""
        made = self._backend.encode_batch(list(texts), add_special_tokens=add_special_tokens)
        return {"input_ids": [each.ids for each in made], "offset_mapping": [each.offsets for each in made]}

    def apply_chat_template(
        self, turns: Sequence[dict[str, str]], *, tokenize: bool = False, add_generation_prompt: bool = False
    ) -> str:
        """Raises: what jinja raises; the template is the model's."""
        assert not tokenize
        return self._compiled.render(
            messages=list(turns),
            tools=None,
            documents=None,
            add_generation_prompt=add_generation_prompt,
            **self._special,
        )

    @cached_property
    def _compiled(self) -> jinja2.Template:
        assert self.chat_template is not None
        return _environment().from_string(self.chat_template)


def _word(token: Any) -> str:
    return token["content"] if isinstance(token, dict) else str(token)


class _Generation(Extension):
    """`{% generation %}`, with which some templates mark answers, is rendered as what it holds."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


def _environment() -> jinja2.Environment:
    """jinja's immutable sandbox with what transformers gives to templates."""
    found = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    found.filters["tojson"] = _to_json
    found.globals |= {"raise_exception": _refuse, "strftime_now": lambda form: datetime.now().strftime(form)}
    return found


def _refuse(message: str) -> None:
    raise jinja2.TemplateError(message)


def _to_json(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    return json.dumps(
        value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys
    )
