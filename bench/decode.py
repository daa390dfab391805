"""Our decode loop against transformers' generate(), greedy, on one model: `python -m bench.decode --help`."""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import torch

from bench.harness import Pair, in_turns, line
from imfine.core.deltas.live import Change
from imfine.core.events import LaneEnd
from imfine.core.models.load import LoadedModel, load
from imfine.core.recipe import Recipe
from imfine.core.sampling import Sampling
from imfine.core.text.answers import KeptAnswers
from imfine.core.text.generate import Decoder, Lane, TextRequest

PROMPT = "The old man looked at the sea for a long time. Then he said: it was in the year"
TUNED = Recipe(attn=1.1, mlp=0.95)


def ours(
    model: LoadedModel,
    recipes: list[Recipe],
    tokens: int,
    prompts: tuple[str | None, ...] | None = None,
    *,
    least: int = 0,
) -> Callable[[], None]:
    """Every lane's whole answer, without its measures. `least`: no end before so many tokens."""
    sampling = Sampling(greedy=True, raw=True, max_new_tokens=tokens, min_new_tokens=least)
    own = prompts or (None,) * len(recipes)
    lanes = tuple(Lane(str(i), *each) for i, each in enumerate(zip(recipes, own, strict=True)))

    def work() -> None:
        decoder = Decoder(replace(model, kept=KeptAnswers()))
        decoder.join("", TextRequest(lanes, PROMPT, sampling))
        ended = 0
        while ended < len(lanes):
            for _, event in decoder.step():
                if isinstance(event, LaneEnd):
                    assert event.tokens == tokens, "the answer ended early: choose fewer tokens"
                    ended += 1

    return work


def loaded(name: str, dtype: str) -> LoadedModel:
    return next(step for step in load(name, dtype=dtype) if isinstance(step, LoadedModel))


def generate(model: LoadedModel, tokens: int, speaker: Any, *, least: int = 0) -> Callable[[], None]:
    batch = model.tokenizer(PROMPT, return_tensors="pt")

    def work() -> None:
        out = speaker.generate(**batch, do_sample=False, max_new_tokens=tokens, min_new_tokens=least)
        assert out.shape[1] == batch.input_ids.shape[1] + tokens, (
            "the answer ended early: choose fewer tokens"
        )

    return work


def multiplied_one_by_one(model: LoadedModel, recipes: list[Recipe], tokens: int) -> Callable[[], None]:
    """What one does without an equalizer: copy the weights, multiply, answer, for each recipe."""
    plain = copy.deepcopy(model.module)

    def work() -> None:
        for recipe in recipes:
            tuned = copy.deepcopy(plain)
            with torch.no_grad():
                for layer, gain in recipe.gains(model.layout).weights.items():
                    tuned.get_parameter(f"{layer}.weight").mul_(gain.values[0])
            generate(model, tokens, tuned, least=tokens)()

    return work


def adapter(model: LoadedModel, rank: int = 8) -> Any:
    """A LoRA on every matrix, too small to change a token."""
    changes = {}
    for band in model.layout.bands:
        for name, _ in band.matrices:
            out, into = model.module.get_submodule(name).weight.shape
            down, up = torch.randn(rank, into), torch.randn(rank, out)
            changes[name] = Change(down, up, 1e-6)
    nbytes = sum(change.down.nbytes + change.up.nbytes for change in changes.values())
    return SimpleNamespace(changes=changes, delta=None, nbytes=nbytes, stamp=(), whole=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--tokens", type=int, default=48)
    parser.add_argument("-n", type=int, default=7, help="pairs")
    parser.add_argument("--sweep", type=int, default=25, help="recipes in one batch; 0: leave it out")
    args = parser.parse_args()

    model, untuned = (loaded(args.model, args.dtype) for _ in range(2))  # `untuned` never sees a recipe
    theirs = copy.deepcopy(model.module)  # as transformers has it: a copy is without packed weights
    one = generate(model, args.tokens, theirs)
    n, tokens = args.n, args.tokens

    def tell(name: str, pair: Pair, wanted: str, *, invert: bool = False) -> None:
        print(line(name, pair, wanted=wanted, invert=invert), flush=True)

    print(f"{args.model}, {args.dtype}, {tokens} tokens, {torch.get_num_threads()} threads\n")
    print("| what | ours | theirs | ratio (least–most) | wanted | pairs |\n|---|---|---|---|---|---|")
    pair = in_turns(ours(untuned, [Recipe()], tokens), one, n)
    tell("one lane: times as fast as generate()", pair, "≥ 1.15")
    pair = in_turns(ours(model, [Recipe(), TUNED], tokens), one, n)
    tell("original and tuned: time, in generate()s", pair, "≤ 1.25", invert=True)
    two = (PROMPT, PROMPT + " of")
    tuned, neutral = (
        ours(model, [TUNED, TUNED], tokens, two),
        ours(untuned, [Recipe(), Recipe()], tokens, two),
    )
    tell("two rows: time with gains, to that without", in_turns(tuned, neutral, n), "≤ 1.08", invert=True)
    id, delta = "bench", adapter(model)
    model.equalizer.deltas[id] = delta
    half = Recipe(deltas={id: 0.5})
    tell(
        "one row: time with a LoRA of rank 8 at half, to that without",
        in_turns(ours(model, [half], tokens, least=tokens), ours(untuned, [Recipe()], tokens), n),
        "≤ 1.25",
        invert=True,
    )
    if args.sweep:
        recipes = [Recipe(attn=1 + 0.01 * i, mlp=1 - 0.01 * i) for i in range(args.sweep)]
        swept, by_one = (
            ours(model, recipes, tokens, least=tokens),
            multiplied_one_by_one(model, recipes, tokens),
        )
        tell(
            f"{args.sweep} recipes: times as fast as one by one",
            in_turns(swept, by_one, max(1, n // 4)),
            "≥ 7",
        )


if __name__ == "__main__":
    main()
