"""`imfine tune`: the original's and the tuned model's answers side by side, in a terminal, without a server.

Turns flags into a recipe and sampling (checked before torch is imported), then lets core yield.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imfine.cli.lanes import shown
from imfine.cli.models import Json, Model
from imfine.cli.recipes import recipe_from
from imfine.cli.show import followed, print_json, said
from imfine.errors import Invalid, SamplingError

if TYPE_CHECKING:
    from imfine.core.events import Event
    from imfine.core.recipe import Recipe
    from imfine.core.sampling import Sampling

Number = Annotated[float | None, typer.Option()]
Whole = Annotated[int | None, typer.Option()]


def tune(  # noqa: PLR0917 - one parameter for each option of the command
    model: Model,
    prompt: Annotated[str, typer.Option(help="The text both answer.")],
    eps: Annotated[float | None, typer.Option(help="EPS knob: the norms' epsilon × 10^(knob − 1).")] = None,
    attn: Annotated[float | None, typer.Option(help="ATTN knob: q, k and v × this.")] = None,
    mlp: Annotated[float | None, typer.Option(help="MLP knob: up × this.")] = None,
    band: Annotated[
        list[str] | None, typer.Option(help="Knob in one layer or some: attn:3=1.5, mlp:0-5=0.8. Repeatable.")
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(help="A point everywhere, in a layer, in a head: o=0.8, 4.q=1.2, 4.o.h3=0."),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe in JSON; options override its parts.")] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Always the likeliest token.")] = False,
    temperature: Number = None,
    top_k: Whole = None,
    top_p: Number = None,
    min_p: Number = None,
    repetition_penalty: Number = None,
    no_repeat_ngram_size: Whole = None,
    stop: Annotated[list[str] | None, typer.Option(help="A text that ends the answer. Repeatable.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed, the same answer.")] = None,
    max_new_tokens: Whole = None,
    min_new_tokens: Whole = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Complete the text, without the model's chat template.")
    ] = False,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or bfloat16; else what this processor is quick in.")
    ] = None,
    json: Json = False,
) -> None:
    """Answer with the original and the tuned model, side by side."""
    given = {
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size,
        "stop": stop or None,
        "seed": seed,
        "max_new_tokens": max_new_tokens,
        "min_new_tokens": min_new_tokens,
        "greedy": greedy or None,
        "raw": raw or None,
    }
    knobs = {"eps": eps, "attn": attn, "mlp": mlp}
    with said(json):
        from imfine.core.events import to_json
        from imfine.core.memory import DTYPE_BYTES
        from imfine.core.models.catalog import find, layout_of
        from imfine.settings import settings

        if not prompt:
            raise Invalid(
                "the prompt is empty", remedy="write a text after --prompt", field="prompt", value=""
            )
        if dtype is not None and dtype not in DTYPE_BYTES:
            raise Invalid(
                f"dtype {dtype!r} is not known",
                remedy=f"use {' or '.join(DTYPE_BYTES)}",
                field="dtype",
                value=dtype,
            )
        sampling = _sampling({name: value for name, value in given.items() if value is not None})
        layout = layout_of(find(model, settings(), any_folder=True))
        asked = recipe_from(recipe, knobs, band or [], point or [], layout)
        asked.check(layout)
        result = shown(
            _events(model, dtype, prompt, asked, sampling), live=not json and sys.stdout.isatty(), quiet=json
        )
        if json:
            kept = to_json(result)
            keys = ("model", "revision", "dtype", "recipe", "seed", "lanes", "manifest", "timing")
            print_json({key: kept[key] for key in (*keys, "device", "checksum", "versions")})


def _sampling(given: dict[str, Any]) -> Sampling:
    from imfine.core.sampling import Sampling

    if given.get("greedy") and "temperature" in given:
        raise SamplingError(
            f"--greedy and --temperature {given['temperature']:g} exclude each other",
            remedy="give one of them",
            field="sampling.temperature",
            value=given["temperature"],
        )
    return Sampling.parse(given)


def _events(
    model: str, dtype: str | None, prompt: str, recipe: Recipe, sampling: Sampling
) -> Iterator[Event]:
    from imfine.core.models.load import LoadedModel, load

    loaded = followed(load(model, dtype=dtype))
    assert isinstance(loaded, LoadedModel)
    yield from loaded.compare(prompt, recipe=recipe, sampling=sampling)
