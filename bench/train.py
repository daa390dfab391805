"""Our training loop against transformers.Trainer (and peft), rows of varying length: `python -m bench.train`.

The same model, rows, precision and number of tokens; ours packs them. `--unpacked` compares row by row, in
batches of the same size. Memory is the most that a process of its own held, above what the imports took.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from accelerate import Accelerator
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments
from transformers.utils import logging as hf_logging

from bench.harness import Pair, in_turns, line
from imfine.core.data.rows import Text
from imfine.core.models.catalog import find
from imfine.core.models.local import read_local
from imfine.core.models.module import read_tokenizer
from imfine.core.train.adapter import attach
from imfine.core.train.data import rendered
from imfine.core.train.loop import peak_memory
from imfine.core.train.plan import Plan
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared
from imfine.core.train.targets import targets
from imfine.core.train.tokens import Tokens, write_tokens
from imfine.settings import settings

WORDS = ["the", "old", "man", "looked", "at", "sea", "for", "a", "long", "time", "and", "said", "nothing"]


@dataclass(frozen=True)
class Model:
    id: str
    path: Path
    checksum: str = ""


def here(name: str) -> Model:
    card = find(name, settings(), any_folder=True)
    assert card.path is not None, f"fetch it first: imfine pull {name}"
    return Model(card.id, Path(card.path))


class Rows:
    """Texts from a few words to some hundred, most of them short: as people's data are."""

    def __init__(self, count: int) -> None:
        rng = random.Random(1)
        sizes = [min(300, max(4, int(rng.lognormvariate(3.6, 0.9)))) for _ in range(count)]
        self._rows = [Text(" ".join(rng.choices(WORDS, k=size))) for size in sizes]
        self.rows, self.hash = count, "bench"

    def row(self, index: int) -> Text:
        return self._rows[index]

    def split(self, seed: int, eval_share: float) -> tuple[range, range]:
        return range(self.rows), range(0)


def tokens_of(model: Model, rows: Rows, plan: Plan) -> Tokens:
    folder = Path(tempfile.mkdtemp(prefix="bench-train-")) / "tokens"
    length = plan.length or 256
    example = rendered(rows, read_tokenizer(model.path), plan, length)
    list(write_tokens(folder, rows.rows, example, length=length))
    return Tokens(folder)


def prepared(model: Model, rows: Rows, plan: Plan) -> Prepared:
    folder = Path(tempfile.mkdtemp(prefix="bench-train-"))
    steps = prepare(Accelerator(), model, rows, plan, folder / "tokens")
    return next(each for each in steps if isinstance(each, Prepared))


def ours(found: Prepared) -> Callable[[], None]:
    """One epoch."""
    epoch = found.feed.steps(1.0)

    def work() -> None:
        for step in range(epoch):
            found.stepper.take(step, lambda loss, norm: None)

    return work


def theirs(model: Model, tokens: Tokens, plan: Plan) -> Callable[[], None]:
    """One epoch of the same rows, in batches padded to their longest."""
    layout = read_local(model.path).layout
    dtype = torch.bfloat16 if plan.dtype == "bfloat16" and plan.method != "full" else torch.float32
    module: Any = AutoModelForCausalLM.from_pretrained(model.path, dtype=dtype).requires_grad_(False)
    if plan.method == "full":
        for target in targets(layout, plan):
            module.get_submodule(target.module).requires_grad_(True)
    else:
        module = attach(module, layout, plan, model.id)

    def collate(batch: list[torch.Tensor]) -> dict[str, torch.Tensor]:
        return {
            "input_ids": pad_sequence(batch, True, 0),
            "labels": pad_sequence(batch, True, -100),
            "attention_mask": pad_sequence([torch.ones_like(ids) for ids in batch], True, 0),
        }

    arguments = TrainingArguments(
        output_dir=tempfile.mkdtemp(prefix="bench-trainer-"),
        use_cpu=True,
        num_train_epochs=1,
        per_device_train_batch_size=plan.batch,
        learning_rate=plan.learning_rate,
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    data: Any = [tokens.example(row)[0] for row in range(len(tokens))]

    def work() -> None:  # its own bf16 flag and our Accelerator exclude each other in one process
        with torch.autocast("cpu", torch.bfloat16, enabled=plan.dtype == "bfloat16"):
            Trainer(module, arguments, data_collator=collate, train_dataset=data).train()

    return work


def memory(which: str, words: list[str]) -> int:
    """Bytes that one epoch takes in a process of its own."""
    child = [sys.executable, "-m", "bench.train", "--memory-of", which, *words]
    return int(subprocess.run(child, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--method", default="lora", choices=["full", "lora", "dora"])
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--rows", type=int, default=48)
    parser.add_argument("--batch", type=int, default=8, help="rows of a batch of theirs")
    parser.add_argument("--unpacked", action="store_true")
    parser.add_argument("-n", type=int, default=3, help="pairs")
    parser.add_argument("--memory-of", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    hf_logging.set_verbosity_error()

    model, rows = here(args.model), Rows(args.rows)
    plain: dict[str, Any] = {"method": args.method, "dtype": args.dtype, "eval_share": 0.0, "length": 256}
    unpacked = Plan(batch=args.batch, packing=False, **plain)
    # packed: as many tokens in a batch as theirs has, padding included, at the most
    asked = unpacked if args.unpacked else Plan(batch=max(1, args.batch // 2), **plain)
    if args.memory_of:
        before = psutil.Process().memory_info().rss
        if args.memory_of == "ours":
            ours(prepared(model, rows, asked))()
        else:
            theirs(model, tokens_of(model, rows, unpacked), unpacked)()
        print(peak_memory() - before)
        return
    other = theirs(model, tokens_of(model, rows, unpacked), unpacked)  # first: it resets accelerate's state
    found = prepared(model, rows, asked)
    pair = in_turns(ours(found), other, args.n)
    tokens = sum(found.lesson.tokens.lengths)
    packs = [rows for step in range(found.feed.steps(1.0)) for rows in found.feed.step(step)]
    read = sum(found.lesson.tokens.lengths[row] for rows in packs for row in rows)
    pair = Pair([each * tokens / read for each in pair.ours], pair.theirs)  # our last step is a full one
    what = "unpacked" if args.unpacked else "packed"
    print(f"{model.id}, {args.method}, {args.dtype}, {rows.rows} rows, {tokens} tokens, batch {args.batch}\n")
    print("| what | ours | theirs | ratio (least–most) | wanted | pairs |\n|---|---|---|---|---|---|")
    wanted = "≥ 1" if args.unpacked else "≥ 1.25"
    print(line(f"{what}: tokens a second, times Trainer's", pair, wanted=wanted), flush=True)
    ours_mb, theirs_mb = (memory(which, sys.argv[1:]) / 1e6 for which in ("ours", "theirs"))
    ratio = f"**{ours_mb / theirs_mb:.2f}**"
    print(f"| memory above the imports' | {ours_mb:.0f} MB | {theirs_mb:.0f} MB | {ratio} | ≤ 1 | 1 |")


if __name__ == "__main__":
    main()
