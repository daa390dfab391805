"""True sizes: random bfloat16 weights of the real shapes answer with two lanes, a text model to a prompt as
long as the card reckons with. What is held at most stands beside what was said before anything is fetched.

    python -m bench.sizes [gpt2 llama-2-7b sd-1.5]

Each model has a process of its own. Memory is what the process grew by since its libraries were in.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
)

from bench.shapes import STARTERS, filled, sd15, shared
from imfine.core import memory
from imfine.core.events import Event, Phase
from imfine.core.families import ImageLayout, TextLayout, layout
from imfine.core.image.generate import ImageSampling, compare
from imfine.core.models.diffusion_configs import SD15
from imfine.core.models.known import KNOWN
from imfine.core.models.load import LoadedModel
from imfine.core.models.packed import pack
from imfine.core.sampling import Sampling

TEXT = {"gpt2": "openai-community/gpt2", "llama-2-7b": "meta-llama/Llama-2-7b-hf"}
MODELS = (*TEXT, "sd-1.5")
TOKENS = 32


def text(name: str) -> Iterator[Event | int]:
    known = next(each for each in KNOWN if each.id == TEXT[name])
    where = layout(known.config)
    assert isinstance(where, TextLayout)
    yield memory.needed(known.parameters, where, "bfloat16")
    config: Any = AutoConfig.for_model(where.row.model_type, **known.config)
    with torch.device("meta"):
        empty = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    module: Any = filled(empty)
    module.tie_weights()
    if where.row.model_type == "llama":  # to_empty has emptied the frequencies too
        module.model.rotary_emb = type(module.model.rotary_emb)(config)
    assert sum(p.numel() for p in module.parameters()) == known.parameters
    if memory.packs(known.parameters, "bfloat16"):
        pack(module)
    model = LoadedModel(
        **shared(where, module),
        module=module,
        tokenizer=AutoTokenizer.from_pretrained(STARTERS / "gpt2-classics"),
        dtype="bfloat16",
        fingerprint="",
    )
    room = min(memory.TOKENS, where.context_length) - TOKENS - 8
    prompt = model.tokenizer.decode(model.tokenizer("It was a bright cold day. " * room).input_ids[:room])
    sampling = Sampling(greedy=True, max_new_tokens=TOKENS, min_new_tokens=TOKENS, raw=True)
    yield from model.compare(prompt, attn=1.1, sampling=sampling)


def pictures() -> Iterator[Event | int]:
    where = layout(SD15)
    assert isinstance(where, ImageLayout)
    known = next(each for each in KNOWN if each.config is SD15)
    yield memory.needed(known.parameters, where, "bfloat16")
    sampling = ImageSampling(steps=2, scheduler="ddim", seed=5)
    yield from compare(sd15(), "a red apple", attn=1.1, sampling=sampling)


@contextmanager
def watched() -> Iterator[Callable[[], int]]:
    """The most bytes that this process has held since, beyond what it held before."""
    process, most, over = psutil.Process(), 0, threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not over.wait(0.005):
            most = max(most, process.memory_info().rss - before)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    yield lambda: most
    over.set()
    thread.join()


def measure(name: str) -> None:
    with watched() as most:
        events = text(name) if name in TEXT else pictures()
        estimate = next(events)
        assert isinstance(estimate, int)
        start, marks = time.perf_counter(), []
        for event in events:
            if isinstance(event, Phase) or getattr(event, "type", "") in ("tokens", "picture", "lane_end"):
                marks.append((event.type, time.perf_counter() - start))  # type: ignore[union-attr]
        held = most()
    if name in TEXT:
        times = [at for kind, at in marks if kind == "tokens"]
        told = f"{(times[-1] - times[0]) / (TOKENS - 1) * 1e3:.0f} ms a token in both lanes"
    else:
        steps = [at for kind, at in marks if kind == "phase"]
        drawn = [at for kind, at in marks if kind == "picture"]
        told = f"{steps[1] - steps[0]:.0f} s a step of both lanes, {drawn[0] - steps[1]:.0f} s to decode"
    sizes = f"{held / 1e9:.2f} GB | {estimate / 1e9:.2f} GB | {estimate / held:.2f}"
    print(f"| {name} | {sizes} | {told} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", metavar="model", help=", ".join(MODELS))
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.here:
        measure(args.models[0])
        return
    print(
        "| bfloat16 | held at most | said before | said / held | speed |\n|---|---|---|---|---|",
        flush=True,
    )
    for name in args.models or MODELS:
        subprocess.run([sys.executable, "-m", "bench.sizes", name, "--here"], check=True)


if __name__ == "__main__":
    main()
