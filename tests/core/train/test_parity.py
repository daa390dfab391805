"""The loss of the first steps is transformers.Trainer's, same model, same order of data, unpacked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch.nn.utils.rnn import pad_sequence
from training import Rows, Source, plan
from transformers import AutoModelForCausalLM, Trainer, TrainingArguments

from imfine.core.data.rows import Pair, Text
from imfine.core.models.known import SHIPPED
from imfine.core.models.local import read_local
from imfine.core.train.adapter import attach
from imfine.core.train.plan import Plan
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared
from imfine.core.train.targets import targets

MODEL = SHIPPED / "gpt2-classics"
STEPS = 50


def rows() -> Rows:
    """Lines of very different lengths; of every third only the second half is learned."""
    text = (MODEL / "heldout.txt").read_text()
    found: list[Any] = []
    at = 0
    while at < len(text) - 200:
        size = 20 + (at * 7) % 150
        piece = text[at : at + size]
        found.append(Pair(piece[: size // 2], piece[size // 2 :]) if len(found) % 3 == 0 else Text(piece))
        at += size
    return Rows(found)


def ours(asked: Plan, folder: Path) -> tuple[list[float], list[dict[str, list[int]]]]:
    """The losses, and the rows in the order in which they were read."""
    source = Source(MODEL)
    found = next(
        each
        for each in prepare(Accelerator(), source, rows(), asked, folder / "tokens")
        if isinstance(each, Prepared)
    )
    losses: list[float] = []
    for step in range(STEPS):
        found.stepper.take(step, lambda loss, norm: losses.append(loss))
    order = []
    for step in range(STEPS):
        for (row,) in found.feed.step(step):
            ids, trained = found.lesson.tokens.example(row)
            labels = torch.where(trained, ids, -100)
            labels[0] = -100  # nothing comes before it; Trainer would count it in its mean
            order.append({"input_ids": ids, "labels": labels})
    return losses, order


def theirs(asked: Plan, order: list[Any], folder: Path) -> list[float]:
    module = AutoModelForCausalLM.from_pretrained(MODEL, dtype=torch.float32).requires_grad_(False)
    layout = read_local(MODEL).layout
    if asked.method == "full":
        for target in targets(layout, asked):
            module.get_submodule(target.module).requires_grad_(True)
    else:
        module = attach(module, layout, asked, "gpt2-classics")

    def collate(batch: list[Any]) -> dict[str, torch.Tensor]:
        return {
            "input_ids": pad_sequence([each["input_ids"] for each in batch], True, 0),
            "labels": pad_sequence([each["labels"] for each in batch], True, -100),
            "attention_mask": pad_sequence([torch.ones_like(each["input_ids"]) for each in batch], True, 0),
        }

    arguments = TrainingArguments(
        output_dir=str(folder),
        use_cpu=True,
        max_steps=STEPS,
        per_device_train_batch_size=asked.batch,
        gradient_accumulation_steps=asked.accumulation,
        learning_rate=asked.learning_rate,
        lr_scheduler_type=asked.schedule,
        weight_decay=asked.weight_decay,
        max_grad_norm=asked.clip,
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_pin_memory=False,
    )
    trainer = Trainer(module, arguments, data_collator=collate, train_dataset=order)
    trainer.train()
    return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]


@pytest.mark.slow
@pytest.mark.parametrize("changes", [{"method": "full"}, {"method": "lora", "lr": 1e-3}])
def test_fifty_steps_of_trainer(changes, tmp_path):
    asked = plan(
        **{
            "steps": STEPS, "batch": 2, "accumulation": 2, "length": 128, "lr": 2e-4, "packing": False,
            "schedule": "cosine", "warmup": 0.0, "eval_share": 0.0, **changes,
        }
    )  # fmt: skip
    losses, order = ours(asked, tmp_path)
    expected = theirs(asked, order, tmp_path / "theirs")
    assert len(expected) == len(losses) == STEPS
    assert max(abs(a - b) for a, b in zip(losses, expected, strict=True)) < 1e-3
    assert losses[-1] < losses[0] - 0.5
