"""Prompts to what the UNet reads, as diffusers encodes them: one encoder (SD 1.x, 2.x) or two (SDXL).

Each text is encoded under its lane's recipe, all in one batch. An encoding is kept where the recipe does not
touch an encoder: then it is the original's, whatever the sliders do. Knows no latents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from imfine.core.events import Notice
from imfine.core.image.kept import Encoding
from imfine.core.image.model import ImageModel
from imfine.core.recipe import Recipe
from imfine.core.sampling import is_halved
from imfine.errors import Invalid


@dataclass(frozen=True)
class Text:
    """`negative`: it guides away; an empty one of SDXL is zeros, as diffusers has it."""

    recipe: Recipe
    words: str
    negative: bool = False


def encode(model: ImageModel, texts: Sequence[Text]) -> list[Encoding]:
    """One Encoding for each of `texts`."""
    found: dict[Text, Encoding] = {}
    keys: dict[Text, Any] = {}
    for text in dict.fromkeys(texts):
        recipe = text.recipe if touches_encoders(model, text.recipe) else Recipe()
        stamps = tuple(model.equalizer.deltas[id].stamp for id in recipe.named_deltas)
        zeros = text.negative and not text.words
        keys[text] = (model.checksum, model.dtype, recipe, stamps, text.words, zeros)
        if (kept := model.kept.encodings.find(keys[text])) is not None:
            found[text] = kept
    new = [text for text in keys if text not in found]
    made = _encoded(model, new) if new else []
    for text, encoding in zip(new, made, strict=True):
        model.kept.encodings.keep(keys[text], encoding)
        found[text] = encoding
    return [found[text] for text in texts]


def touches_encoders(model: ImageModel, recipe: Recipe) -> bool:
    """Whether a plan of this recipe has anything to do in a text encoder."""
    if recipe.is_neutral:
        return False
    own = {module for encoder in model.text_encoders for module in encoder.modules()}
    return not own.isdisjoint(model.equalizer.plan([recipe]).modules)


def check_words(words: Any, field: str) -> str:
    """A prompt as text. Raises Invalid: empty, no text, or half a character."""
    if not isinstance(words, str):
        raise Invalid("an image model reads a text, not turns", remedy="write one prompt", field=field)
    if not words.strip():
        raise Invalid("the prompt is empty", remedy="write what to draw", field=field, value=words)
    if is_halved(words):
        raise Invalid(
            "the prompt holds half of a surrogate pair", remedy="send whole characters", field=field
        )
    return words


def cut_notice(model: ImageModel, words: str, field: str) -> Notice | None:
    """What of a text no encoder reads, told; None where all of it is read."""
    rests = [rest for tokenizer in model.tokenizers if (rest := unread(tokenizer, words))]
    if not rests:
        return None
    window = min(tokenizer.model_max_length for tokenizer in model.tokenizers)
    rest = max(rests, key=len)
    return Notice(
        "prompt_cut",
        f"{model.id} reads {window - 2} tokens of a prompt; not read: {rest}",
        {"words": rest, "window": window, "field": field},
    )


def unread(tokenizer: Any, words: str) -> str:
    """The text from the first token on that does not fit, with room for start and end; "" if all does."""
    window = tokenizer.model_max_length
    ids = tokenizer(words, truncation=False, return_offsets_mapping=tokenizer.is_fast, verbose=False)
    if len(ids.input_ids) <= window:
        return ""
    if tokenizer.is_fast:
        return words[ids.offset_mapping[window - 1][0] :].strip()
    text: str = tokenizer.decode(ids.input_ids[window - 1 : -1])
    return text.strip()


def _encoded(model: ImageModel, texts: Sequence[Text]) -> list[Encoding]:
    two = len(model.text_encoders) > 1
    plan = model.equalizer.plan([text.recipe for text in texts])
    words: list[torch.Tensor] = []
    pooled: torch.Tensor | None = None
    for tokenizer, encoder in zip(model.tokenizers, model.text_encoders, strict=True):
        batch = tokenizer(
            [text.words for text in texts],
            padding="max_length",
            max_length=tokenizer.model_max_length,
            truncation=True,
            return_tensors="pt",
        )
        masked = not two and getattr(encoder.config, "use_attention_mask", None)
        mask = batch.attention_mask.to(model.device) if masked else None
        with model.equalizer.applied(plan):
            out = encoder(batch.input_ids.to(model.device), attention_mask=mask, output_hidden_states=two)
        if two and out[0].ndim == 2:
            pooled = out[0]  # (B, P), of the encoder with the projection
        words.append(out.hidden_states[-2] if two else out[0])  # (B, T, D)
    joined = torch.cat(words, dim=-1)
    made = []
    for i, text in enumerate(texts):
        encoding = Encoding(joined[i : i + 1], None if pooled is None else pooled[i : i + 1])
        if two and text.negative and not text.words:
            assert encoding.pooled is not None
            encoding = Encoding(torch.zeros_like(encoding.words), torch.zeros_like(encoding.pooled))
        made.append(encoding)
    return made
