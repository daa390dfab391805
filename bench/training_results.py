"""What training does to the starters: `python -m bench.training_results [NAME …]` runs, measures and keeps.

Each run is `imfine train` in a process of its own; its result goes to training_results.json as soon as it is
there, and a run that stands there is not run again. Beside our own held-out perplexity plain transformers
reads the saved model: the held-out answers part by part, and texts that the run has not read. Last it prints
the tables of docs/training.md. Seconds of a busy machine mean nothing; the other numbers do not
depend on it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from bench.train import here
from imfine.core.data.dataset import Dataset
from imfine.core.data.ingest import ingest
from imfine.core.data.rows import Pair, Row, Text
from imfine.settings import settings

ROOT = Path(__file__).parents[1]
KEPT = ROOT / "bench" / "training_results.json"
DICTIONARY, AIM, BIERCE = (
    ROOT / "examples" / name
    for name in ("dictionary/dictionary.jsonl", "aim/aim.jsonl", "bierce/bierce.jsonl")
)
ELSEWHERE = ROOT / "starters" / "gpt2-classics" / "heldout.txt"  # prose that no run has read
SHARE = "0.03"  # of the rows, held out
PLACES = ("type", "path", "adapter", "curves")  # of this machine, in a result
ASKED = ("What is a lantern?", "What is an owl?", "How do I boil an egg?")
SOME, CHATS, PROSE = (
    30,
    16,
    1500,
)  # held-out rows, rows of Aim's, characters: what all models are measured with
ANSWER = re.compile(r"A kind of (?P<kind>[^:]+): (?P<definition>.+)\.")


def runs() -> dict[str, list[str]]:
    """Name → what follows `imfine train`."""
    found = {}
    for method in ("lora", "full"):
        for parts in ("attn,mlp", "attn", "mlp"):
            words = f"--parts {parts} --method {method} --steps 30 --batch 1 --eval-share {SHARE}"
            words += " --eval-every 30 --save-every 30"
            name = f"dictionary-{parts.replace(',', '-')}-{method}"
            found[name] = _asked("smollm2-135m", DICTIONARY, words)
    words = f"--method lora --steps 60 --batch 2 --eval-share {SHARE} --eval-every 30"
    found["dictionary-longer"] = _asked("smollm2-135m", DICTIONARY, words, samples=ASKED)
    found["bierce-full"] = _asked(
        "gpt2-classics",
        BIERCE,
        "--method full --lr 0.0005 --epochs 1 --batch 4 --eval-share 0.05 --eval-every 45",
        samples=("LOVE, n.", "LAWYER, n.", "It is a truth universally acknowledged"),
    )
    found["aim-lora"] = _asked(
        "smollm2-135m",
        AIM,
        "--method lora --lr 0.0005 --steps 40 --batch 1 --eval-share 0.1 --eval-every 20",
        samples=("I spilled my coffee.", "What is the Milky Way?"),
    )
    return found


def _asked(model: str, data: Path, words: str, samples: Sequence[str] = ()) -> list[str]:
    asked = [
        model,
        "--data",
        str(data),
        *words.split(),
        "--length",
        "256",
        "--dtype",
        "float32",
        "--seed",
        "0",
    ]
    return asked + [word for prompt in samples for word in ("--sample", prompt)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="of runs; else all")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--table", action="store_true", help="print what is kept, run nothing")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    if not args.table:
        for name, words in runs().items():
            if not args.names or name in args.names:
                keep("runs", name, lambda name=name, words=words: trained(name, words, args.threads))
        done = read()["runs"]
        for name in ("smollm2-135m", *(name for name in done if name.startswith("dictionary-"))):
            if not args.names or name in args.names:
                keep("measured", name, lambda name=name: measured(name))
        for name in ("smollm2-135m", "dictionary-attn-mlp-lora"):
            if not args.names or name in args.names:
                keep("checked", name, lambda name=name: checked(name))
        for name in ("gpt2-classics", *(name for name in done if name.startswith("bierce"))):
            if not args.names or name in args.names:
                keep("texts", name, lambda name=name: texts(name))
    print(table(read()))


def keep(kind: str, name: str, found: Callable[[], dict[str, Any]]) -> None:
    """What is `found` goes to the file at once, beside what another process wrote meanwhile."""
    if name in read().get(kind, {}):
        return
    result = found()
    kept = read()
    kept.setdefault(kind, {})[name] = result
    part = KEPT.with_suffix(".part")
    part.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")
    part.replace(KEPT)


def read() -> dict[str, Any]:
    return (
        json.loads(KEPT.read_text())
        if KEPT.exists()
        else {"runs": {}, "measured": {}, "checked": {}, "texts": {}}
    )


def trained(name: str, words: list[str], threads: int) -> dict[str, Any]:
    """Trains under `name`, which goes on where it was broken off. Its result and samples."""
    command = [
        sys.executable,
        "-c",
        "from imfine.cli import main; main()",
        "train",
        *words,
        "--name",
        name,
        "--json",
        "--resume",
    ]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    samples: list[dict[str, Any]] = []
    losses: list[float] = []
    evaluated: list[dict[str, Any]] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = json.loads(line)
            if event["type"] == "sampled":
                samples.append({key: event[key] for key in ("step", "prompt", "text")})
            elif event["type"] == "evaluated":
                evaluated.append({key: event[key] for key in ("step", "perplexity", "tokens")})
                print(name, line.strip(), flush=True)
            elif event["type"] == "train_step":
                losses.append(event["loss"])
                if event["step"] % 10 == 0:
                    print(name, event["step"], round(event["loss"], 3), round(event["eta_s"]), flush=True)
            elif event["type"] == "error":
                raise SystemExit(f"{name}: {event}")
            elif event["type"] == "train_result":
                return {
                    "command": [word.replace(f"{ROOT}/", "") for word in words],
                    "result": {
                        key: value
                        for key, value in event.items()
                        if key not in ("type", "path", "adapter", "curves")
                    },
                    "losses": losses,
                    "evaluated": evaluated,
                    "samples": samples,
                }
    raise SystemExit(f"{name} ended without a result; run it again to go on")


# -------------------------------------------------- plain transformers on the saved model, row by row


@torch.no_grad()
def measured(name: str) -> dict[str, Any]:
    """Perplexities of some held-out answers part by part, and of texts that no run has read."""
    tokenizer, module = opened(name)
    parts: dict[str, list[float]] = {"form": [], "kind": [], "definition": []}
    for row in held_out(DICTIONARY, float(SHARE))[:SOME]:
        assert isinstance(row, Pair), row
        for part, loss in by_part(module, tokenizer, row):
            parts[part].append(loss)
    prose = tokenizer(ELSEWHERE.read_text()[:PROSE], return_tensors="pt").input_ids  # (1, T)
    lines = map(json.loads, AIM.read_text("utf-8").splitlines()[:CHATS])
    chats = [each for line in lines for each in answer_losses(module, tokenizer, Pair(**line))]
    return {
        "parts": {part: perplexity(losses) for part, losses in parts.items()},
        "prose": perplexity(token_losses(module, prose)),
        "chats": perplexity(loss for *_, loss in chats),
        "tokens": {part: len(losses) for part, losses in parts.items()}
        | {"prose": prose.shape[1] - 1, "chats": len(chats)},
    }


@torch.no_grad()
def checked(name: str) -> dict[str, Any]:
    """The perplexity of all held-out answers: what a run says of them, computed without our code."""
    tokenizer, module = opened(name)
    rows = held_out(DICTIONARY, float(SHARE))
    losses = [
        each[-1] for row in rows if isinstance(row, Pair) for each in answer_losses(module, tokenizer, row)
    ]
    return {"perplexity": perplexity(losses), "tokens": len(losses)}


def opened(name: str) -> tuple[Any, Any]:
    """Tokenizer and module, as transformers alone reads them, in float32."""
    path = here(name).path
    return AutoTokenizer.from_pretrained(path), AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32
    )


@torch.no_grad()
def texts(name: str) -> dict[str, float]:
    """Perplexities, as above, of a model that goes on with texts: Bierce's held-out rows, and Jane Austen."""
    tokenizer, module = opened(name)

    def losses_of(text: str, length: int) -> list[float]:
        ids = tokenizer(text, return_tensors="pt", add_special_tokens=False).input_ids  # (1, T)
        parts = [part for part in ids.split(length, 1) if part.shape[1] > 1]
        return [loss for part in parts for loss in token_losses(module, part)]

    rows = [row.text + tokenizer.eos_token for row in held_out(BIERCE, 0.05) if isinstance(row, Text)]
    cut = [losses_of(text, 256)[:255] for text in rows]  # a run reads the first 256 tokens of a row
    return {
        "held_out": perplexity(loss for losses in cut for loss in losses),
        "elsewhere": perplexity(losses_of(ELSEWHERE.read_text(), 256)),
    }


def perplexity(losses: Iterable[float]) -> float:
    found = list(losses)
    return math.exp(sum(found) / len(found))


def held_out(file: Path, share: float) -> list[Row]:
    """The rows of a file that no run has learned from."""
    steps = ingest([file], settings().home / "datasets")
    data = next(each for each in steps if isinstance(each, Dataset))
    return [data.row(row) for row in data.split(0, share)[1]]


def by_part(module: Any, tokenizer: Any, row: Pair) -> Iterator[tuple[str, float]]:
    """For each token of the answer: form (which all answers share), kind or definition, and its loss."""
    found = ANSWER.fullmatch(row.completion)
    assert found is not None, row
    for _, end, loss in answer_losses(module, tokenizer, row):
        last = end - 1  # a word's token begins with the space before it
        inside = [part for part in ("kind", "definition") if found.start(part) <= last < found.end(part)]
        yield (inside or ["form"])[0], loss


def answer_losses(module: Any, tokenizer: Any, row: Pair) -> list[tuple[int, int, float]]:
    """(characters from, to, counted in the answer, and its loss) of each token, the one that ends it too."""
    asked = [{"role": "user", "content": row.prompt}]
    head = tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
    text = head + row.completion + tokenizer.eos_token
    encoded = tokenizer(text, return_tensors="pt", return_offsets_mapping=True, add_special_tokens=False)
    losses = token_losses(module, encoded.input_ids)
    spans = encoded.offset_mapping[0].tolist()[1:]
    return [
        (begin - len(head), end - len(head), loss)
        for (begin, end), loss in zip(spans, losses, strict=True)
        if begin >= len(head)
    ]


def token_losses(module: Any, ids: torch.Tensor) -> list[float]:
    """(1, T) -> T − 1 losses in nats."""
    logits = module(input_ids=ids).logits[0, :-1].float()  # (T − 1, V)
    return torch.nn.functional.cross_entropy(logits, ids[0, 1:], reduction="none").tolist()


# ---------------------------------------------------------------- the tables


def table(kept: dict[str, Any]) -> str:
    lines = ["| run | steps | tokens | trained | before | after | memory at most |", "|" + "---|" * 7]
    for name, run in kept["runs"].items():
        end = run["result"]
        numbers = f"{end['steps']} | {end['tokens']:,} | {end['parameters']:,}"
        memory = f"{end['peak_memory'] / 1e9:.2f} GB"
        pair = f"{end['perplexity_before']:.2f} | {end['perplexity_after']:.2f}"
        lines.append(f"| {name} | {numbers} | {pair} | {memory} |")
    lines += ["", "| by transformers | form | kind | definition | prose | chats |", "|" + "---|" * 6]
    for name, each in kept["measured"].items():
        numbers = (*each["parts"].values(), each["prose"], each["chats"])
        lines.append(f"| {name} | {' | '.join(f'{number:.2f}' for number in numbers)} |")
    lines += ["", *(f"{name}: {each}" for name, each in {**kept["checked"], **kept["texts"]}.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
