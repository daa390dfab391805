"""What a slider's move waits for in the model: the prefill of a short prompt, and the products in it, by the
packed matrices and by those of the file.

    python -m bench.prefill          with the processor to itself
    python -m bench.prefill --busy   beside one busy process

`GOMP_SPINCOUNT=3000 python -m bench.prefill` has torch's threads spin for longer (docs/decisions/threads.md).
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable

import torch
from torch.nn.functional import linear

from bench.decode import loaded
from bench.harness import seconds
from bench.latency import TEXT
from imfine.core.models.packed import PackedLinear, multiply
from imfine.core.recipe import Recipe
from imfine.core.text.forward import new_cache, prefill
from imfine.core.text.prompts import encode

TIMES = 15


def median_ms(work: Callable[[], object]) -> float:
    work()
    return statistics.median(seconds(work) for _ in range(TIMES)) * 1e3


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--busy", action="store_true", help="beside a process that computes all the time")
    args = parser.parse_args()
    model = loaded(args.model, args.dtype)
    ids = encode(model.tokenizer, TEXT["prompt"], raw=False)
    plan = model.equalizer.plan([Recipe(attn=1.1)])
    layers = [each for each in model.module.modules() if isinstance(each, PackedLinear)]
    layers = [each for each in layers if each.out_features != model.module.config.vocab_size]
    inputs = {
        each.in_features: torch.randn(1, len(ids), each.in_features).to(model.module.dtype) for each in layers
    }

    def products() -> None:
        for each in layers:
            multiply(inputs[each.in_features], each.packed, each.bias)

    def plain() -> None:
        for each in layers:
            linear(inputs[each.in_features], each.weight, each.bias)

    beside = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if args.busy else None
    try:
        whole = median_ms(lambda: prefill(model, ids, 1, new_cache(model), plan, more=96))
        inner, unpacked = median_ms(products), median_ms(plain)
    finally:
        if beside is not None:
            beside.kill()
    where = f"spin {os.environ['GOMP_SPINCOUNT']}, {'beside a busy process' if args.busy else 'alone'}"
    print(f"{where}: {len(ids)} tokens in {whole:.0f} ms, {len(layers)} products of it in {inner:.0f} ms")
    print(f"unpacked, the products alone would take {unpacked:.0f} ms")


if __name__ == "__main__":
    main()
