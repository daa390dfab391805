"""`imfine tune`: the original's and the tuned model's answers side by side, in a terminal, without a server.

Turns flags into a recipe and settings (checked before torch is imported), then lets core yield.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from imfine.cli import pictures
from imfine.cli.lanes import shown
from imfine.cli.models import Json, Model
from imfine.cli.recipes import recipe_from
from imfine.cli.show import followed, print_json, said
from imfine.core.events import Phase, to_json
from imfine.errors import Invalid, SamplingError

if TYPE_CHECKING:
    from imfine.core.events import Event
    from imfine.core.image.sampling import ImageSampling
    from imfine.core.recipe import Recipe
    from imfine.core.sampling import Sampling

Number = Annotated[float | None, typer.Option()]
Whole = Annotated[int | None, typer.Option()]
SIZE = re.compile(r"(\d{1,6})[x×](\d{1,6})")
SHOWN = ("model", "revision", "dtype", "recipe", "seed", "lanes", "image", "manifest", "timing")
SHOWN_TOO = ("device", "checksum", "versions")


def tune(  # noqa: PLR0917 - one parameter for each option of the command
    model: Model,
    prompt: Annotated[str, typer.Option(help="The text both answer.")],
    eps: Annotated[float | None, typer.Option(help="EPS knob: the norms' epsilon × 10^(knob − 1).")] = None,
    attn: Annotated[float | None, typer.Option(help="ATTN knob: q, k and v × this.")] = None,
    mlp: Annotated[float | None, typer.Option(help="MLP knob: up × this.")] = None,
    tone: Annotated[float | None, typer.Option(help="Pictures: TONE knob, colour; −1 to 1.")] = None,
    style: Annotated[float | None, typer.Option(help="Pictures: STYLE knob, detail; −1 to 1.")] = None,
    band: Annotated[
        list[str] | None,
        typer.Option(help="Knob in one band or some: attn:3=1.5, mlp:0-5=0.8, attn:OUT04=1.3. Repeatable."),
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(help="A point everywhere, in a layer, in a head: o=0.8, 4.q=1.2, 4.o.h3=0."),
    ] = None,
    delta: Annotated[
        list[str] | None,
        typer.Option(
            help="How far towards a trained model or an adapter: NAME=0.5 (0 the original, 1 all the way); "
            "in some bands NAME:attn:0-5=0.2. Repeatable."
        ),
    ] = None,
    recipe: Annotated[Path | None, typer.Option(help="A recipe in JSON; options override its parts.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed, the same answer.")] = None,
    greedy: Annotated[bool, typer.Option("--greedy", help="Text: always the likeliest token.")] = False,
    temperature: Number = None,
    top_k: Whole = None,
    top_p: Number = None,
    min_p: Number = None,
    repetition_penalty: Number = None,
    no_repeat_ngram_size: Whole = None,
    stop: Annotated[list[str] | None, typer.Option(help="A text that ends the answer. Repeatable.")] = None,
    max_new_tokens: Whole = None,
    min_new_tokens: Whole = None,
    raw: Annotated[
        bool, typer.Option("--raw", help="Complete the text, without the model's chat template.")
    ] = False,
    negative: Annotated[str | None, typer.Option(help="Pictures: what shall not be seen.")] = None,
    steps: Annotated[int | None, typer.Option(help="Pictures: 1 to 150.")] = None,
    guidance: Annotated[
        float | None, typer.Option(help="Pictures: how closely the prompt is followed; 0 to 30.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Pictures: default, ddim, dpmpp_2m_karras, euler, euler_a or lcm.")
    ] = None,
    size: Annotated[str | None, typer.Option(help="Pictures: WIDTHxHEIGHT in pixels.")] = None,
    count: Annotated[int | None, typer.Option(help="Pictures of each, 1 to 8.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Pictures: where base.png and tuned.png go; else where you are.")
    ] = None,
    dtype: Annotated[
        str | None, typer.Option(help="float32 or bfloat16; else what this processor is quick in.")
    ] = None,
    json: Json = False,
) -> None:
    """Answer with the original and the tuned model, side by side."""
    text = {
        "greedy": greedy or None,
        "temperature": temperature,
        "top_k": top_k,
        "top_p": top_p,
        "min_p": min_p,
        "repetition_penalty": repetition_penalty,
        "no_repeat_ngram_size": no_repeat_ngram_size,
        "stop": stop or None,
        "max_new_tokens": max_new_tokens,
        "min_new_tokens": min_new_tokens,
        "raw": raw or None,
    }
    image = {
        "negative": negative,
        "steps": steps,
        "guidance": guidance,
        "scheduler": scheduler,
        "size": size,
        "count": count,
    }
    signed = {"tone": tone, "style": style}
    knobs = {"eps": eps, "attn": attn, "mlp": mlp, **signed}
    with said(json):
        from imfine.core.image.sampling import own_settings
        from imfine.core.models.catalog import find, layout_of
        from imfine.settings import settings

        _check(prompt, dtype)
        sampling = _sampling(_given(text, seed))
        painting = _painting(_given(image, seed))
        card = find(model, settings(), any_folder=True)
        layout = layout_of(card)
        paints = layout.kind == "image"
        _refuse_other_kind(card.name, text if paints else {**image, **signed, "out": out}, paints=paints)
        asked = recipe_from(recipe, knobs, band or [], point or [], delta or [], layout)
        asked.check(layout)
        if asked.named_deltas:
            from imfine.core.deltas.found import deltas_of, named_delta

            there = deltas_of(card, settings())
            for id in asked.named_deltas:
                named_delta(id, card.id, there)
        if paints:
            painting = painting.settled(own_settings(card, layout))
            folder = pictures.folder_for(out or Path())
            drawn = pictures.painted(_painted(model, dtype, prompt, asked, painting), folder, painting.count)
            kept = pictures.told(drawn, folder)
            if not json:
                typer.echo(pictures.spoken(drawn, folder))
        else:
            answers = _answered(model, dtype, prompt, asked, sampling)
            kept = to_json(shown(answers, live=not json and sys.stdout.isatty(), quiet=json))
        if json:
            print_json({key: kept[key] for key in (*SHOWN, *SHOWN_TOO) if key in kept})


def _given(options: Mapping[str, Any], seed: int | None) -> dict[str, Any]:
    return {name: value for name, value in {**options, "seed": seed}.items() if value is not None}


def _check(prompt: str, dtype: str | None) -> None:
    from imfine.core.memory import DTYPE_BYTES

    if not prompt:
        raise Invalid("the prompt is empty", remedy="write a text after --prompt", field="prompt", value="")
    if dtype is not None and dtype not in DTYPE_BYTES:
        raise Invalid(
            f"dtype {dtype!r} is not known",
            remedy=f"use {' or '.join(DTYPE_BYTES)}",
            field="dtype",
            value=dtype,
        )


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


def _painting(given: dict[str, Any]) -> ImageSampling:
    from imfine.core.image.sampling import ImageSampling

    size = given.pop("size", None)
    if size is not None:
        sides = SIZE.fullmatch(size)
        if sides is None:
            raise SamplingError(
                f"--size {size!r:.40} is not understood",
                remedy="write width and height in pixels, such as 64x64",
                field="image.size",
                value=size,
            )
        given |= {"width": int(sides[1]), "height": int(sides[2])}
    return ImageSampling.parse({**given, "previews": False})


def _refuse_other_kind(name: str, options: Mapping[str, Any], *, paints: bool) -> None:
    """What only the other kind of model understands is not silently left out."""
    for option, value in options.items():
        if value is None:
            continue
        flag = f"--{option.replace('_', '-')}"
        where = "sampling" if paints else "recipe" if option in ("tone", "style") else "image"
        raise Invalid(
            f"{name} {'draws pictures' if paints else 'writes text'}: it has no {flag}",
            remedy=f"leave {flag} out, or name a model that {'writes text' if paints else 'draws pictures'}",
            field=option if option == "out" else f"{where}.{option}",
            value=value if isinstance(value, bool | int | float | str) else str(value),
        )


def _answered(
    model: str, dtype: str | None, prompt: str, recipe: Recipe, sampling: Sampling
) -> Iterator[Event]:
    from imfine.core.models.load import LoadedModel, load

    loaded = followed(load(model, dtype=dtype))
    assert isinstance(loaded, LoadedModel)
    yield from loaded.compare(prompt, recipe=recipe, sampling=sampling)


def _painted(
    model: str, dtype: str | None, prompt: str, recipe: Recipe, sampling: ImageSampling
) -> Iterator[Event]:
    from imfine.core.models.load import load
    from imfine.core.models.load_image import LoadedImageModel

    for step in load(model, dtype=dtype):
        if isinstance(step, Phase):
            yield step
        else:
            assert isinstance(step, LoadedImageModel)
            yield from step.compare(prompt, recipe=recipe, sampling=sampling)
