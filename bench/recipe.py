"""What setting a recipe costs on a model of Llama-2-7B's shape (random, bf16): `python -m bench.recipe`.

Needs 14 GB of memory, or `--layers N` for a shorter stack.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from typing import Any

import psutil
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from imfine.core.equalizer import Equalizer
from imfine.core.families import layout
from imfine.core.recipe import Recipe

MOVES = 50


def random_model(config: Any) -> torch.nn.Module:
    with torch.device("meta"):
        module: torch.nn.Module = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    module = module.to_empty(device="cpu")
    for parameter in module.parameters():
        parameter.data.uniform_(-0.02, 0.02)
    return module.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--layers", type=int, default=32)
    args = parser.parse_args()
    config = AutoConfig.for_model("llama", architectures=["LlamaForCausalLM"], num_hidden_layers=args.layers)
    module = random_model(config)
    size = sum(p.nbytes for p in module.parameters())
    equalizer = Equalizer(module, layout(config.to_dict()))
    process = psutil.Process(os.getpid())
    rss = process.memory_info().rss

    kinds = {
        "three knobs": lambda i: Recipe(attn=1 + i / 1000, mlp=1 - i / 1000, eps=1 + i / 100),
        "a band of each knob": lambda i: Recipe(
            bands={"attn": [1 + i / 1000] * args.layers, "mlp": [1 - i / 1000] * args.layers}
        ),
        "every point": lambda i: Recipe(
            attn=1.1, points=dict.fromkeys(("q", "k", "v", "o", "gate", "up", "down", "norm"), 1 + i / 1000)
        ),
        "a single head": lambda i: Recipe(points={f"{i % args.layers}.o.h3": 0.5 + i / 1000}),
    }
    print(f"{size / 1e9:.1f} GB of weights, {args.layers} layers; each move is a recipe never seen before\n")
    print("| a move of | median | longest | memory of the plan |\n|---|---|---|---|")
    for name, make in kinds.items():
        times, largest = [], 0
        for i in range(1, MOVES + 1):
            recipe = make(i)
            start = time.perf_counter()
            plan = equalizer.plan([Recipe(), recipe])
            times.append(time.perf_counter() - start)
            largest = max(largest, plan.nbytes)
        print(
            f"| {name} | {statistics.median(times) * 1e3:.1f} ms | {max(times) * 1e3:.1f} ms"
            f" | {largest / 1e3:.0f} kB |"
        )
    grown = process.memory_info().rss - rss
    print(f"\nThe process grew by {grown / 1e6:.1f} MB in {len(kinds) * MOVES} moves ({grown / size:.3%}).")


if __name__ == "__main__":
    main()
