"""What training does to emoji-diffusion: `python -m bench.picture_results [NAME …]` runs, measures and keeps.

It learns Twemoji's faces and flags (examples/twemoji/make.py); a run is `imfine train` in a process of its
own. Told is how far the pictures drawn for prompts that were kept back are from Twemoji's picture of the same
emoji, and from Noto's, which the starter was made of:

    d(z, x) = √ mean (z − x)²      z: the drawn latents, x: those of the picture, encoded by the starter's VAE
    way     = (z − n)·(t − n) / |t − n|²     0 at Noto's picture n, 1 at Twemoji's t, whatever else z is
    nearest = the share whose nearest of all kept-back pictures of their kind, in both styles, is Twemoji's

Numbers go to picture_results.json as soon as they are there, and what stands there is not run again. Last it
prints the tables of docs/training.md and draws docs/images/twemoji.png. Seconds of a busy machine mean
nothing; the other numbers do not depend on it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from imfine.core.image.decode import decode
from imfine.core.image.denoise import Denoising, Row
from imfine.core.image.sampling import ImageSampling
from imfine.core.models.load import load
from imfine.core.models.load_image import LoadedImageModel
from imfine.core.recipe import Recipe
from imfine.core.train.pictures.latents import as_tensor
from imfine.settings import settings

ROOT = Path(__file__).parents[1]
STARTER = ROOT / "starters" / "emoji-diffusion"
LEARN, HELD_OUT = (ROOT / "examples" / "twemoji" / name for name in ("learn", "held-out"))
KEPT = ROOT / "bench" / "picture_results.json"
SHEET = ROOT / "docs" / "images" / "twemoji.png"
BEFORE = "emoji-diffusion"
SEEDS = (0, 1, 2)  # of training
DRAWN = 64  # the seed of the first prompt's picture, 65 of the second's, …
SAMPLING = ImageSampling(steps=20, guidance=3.0, scheduler="ddim", width=64, height=64)
AT_ONCE = 16  # pictures
KINDS = ("face", "flag", "other")
MOVED = ("twemoji", "way")  # told by how much, with an interval
STUDENT = 2.131  # of a 95 % interval over the 16 prompts of a kind
UNET = "IN03,IN05,M00,OUT00,OUT01,OUT02,OUT03"
COMMON = "--batch 8 --steps 200 --eval-share 0.1 --eval-every 100 --save-every 200 --dtype float32"
LORA, FULL = "--method lora --rank 16", "--method full"
RUNS = {  # from three seeds
    "lora": f"{LORA} --lr 2e-3 {COMMON}",
    "full": f"{FULL} --lr 3e-4 {COMMON}",
}
ONCE = {  # from one: the text encoder too; LoRA's own rate
    "lora-text": f"{LORA} --lr 2e-3 --blocks {UNET},TE {COMMON}",
    "full-text": f"{FULL} --lr 3e-4 --blocks {UNET},TE {COMMON}",
    "lora-2e-4": f"{LORA} {COMMON}",
}


@dataclass(frozen=True)
class Asked:
    """A prompt that was kept back, and the latents (C, h, w) of its emoji in both styles."""

    kind: str
    words: dict[str, str]  # by language
    twemoji: Tensor
    noto: Tensor


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [*RUNS, *ONCE]
    parser.add_argument("names", nargs="*", help=f"of {', '.join(names)}; none: all")
    args = parser.parse_args()
    if unknown := set(args.names) - set(names):
        parser.error(f"there is no run {', '.join(sorted(unknown))}; name some of {', '.join(names)}")
    if not (HELD_OUT / "prompts.jsonl").exists():
        raise SystemExit("make the pictures first: python examples/twemoji/make.py")
    asked = prompts(opened(STARTER))
    keep(BEFORE, None, lambda: measured(STARTER, asked))
    for seed in SEEDS:
        for name in args.names or names:
            if name in RUNS or seed == SEEDS[0]:
                keep(name, seed, lambda: run(name, seed, asked))  # noqa: B023 - called at once
    print(table(read()))
    sheet().save(SHEET, optimize=True)


def keep(name: str, seed: int | None, found: Any) -> None:
    """What is `found` goes to the file at once, unless it stands there."""
    kept = read()
    key = name if seed is None else f"{name}-{seed}"
    if key not in kept:
        kept[key] = found()
        KEPT.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", "utf-8")


def read() -> dict[str, Any]:
    return json.loads(KEPT.read_text("utf-8")) if KEPT.exists() else {}


def run(name: str, seed: int, asked: Sequence[Asked]) -> dict[str, Any]:
    called = f"twemoji-{name}-{seed}"
    plan = (RUNS | ONCE)[name]
    words = f"emoji-diffusion --data {LEARN.relative_to(ROOT)} {plan} --seed {seed} --name {called}"
    ended = trained(words.split())
    languages = ("en", "ko") if seed == SEEDS[0] else ("en",)
    return {"command": f"imfine train {words}", **ended, **measured(folder_of(called), asked, languages)}


def folder_of(called: str) -> Path:
    return settings().home / "models" / called


def trained(words: list[str]) -> dict[str, Any]:
    """Trains, or goes on where it was broken off. What the result and the losses say."""
    command = [sys.executable, "-c", "from imfine.cli import main; main()", "train"]
    losses: list[float] = []
    evaluated: list[float] = []
    with subprocess.Popen(
        [*command, *words, "--json", "--resume"], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = json.loads(line)
            if event["type"] == "train_step":
                losses.append(round(event["loss"], 5))
            elif event["type"] == "evaluated":
                evaluated.append(event["loss"])
            elif event["type"] == "error":
                raise SystemExit(f"{' '.join(words)}: {event}")
            elif event["type"] == "train_result":
                told = ("steps", "parameters", "seconds", "peak_memory", "versions")
                return {**{each: event[each] for each in told}, "losses": losses, "evaluated": evaluated}
    raise SystemExit(f"{' '.join(words)} ended without a result; run it again to go on")


# ---------------------------------------------------------------- drawing and measuring


def opened(folder: Path) -> LoadedImageModel:
    return next(s for s in load(str(folder), dtype="float32") if isinstance(s, LoadedImageModel))


@torch.inference_mode()
def prompts(starter: LoadedImageModel) -> list[Asked]:
    lines = (HELD_OUT / "prompts.jsonl").read_text("utf-8").splitlines()
    found = []
    for row in map(json.loads, lines):
        both = [as_tensor(HELD_OUT / style / row["file_name"], 64) for style in ("twemoji", "noto")]
        latents = starter.vae.encode(torch.stack(both)).latent_dist.mode()  # (2, C, h, w)
        twemoji, noto = latents * starter.vae.config.scaling_factor
        words = {language: row[language] for language in ("en", "ko")}
        found.append(Asked(row["kind"], words, twemoji, noto))
    return found


@torch.inference_mode()
def drawn(model: LoadedImageModel, words: Sequence[str]) -> Tensor:
    """A picture of each prompt: (N, C, h, w), scaled."""
    rows = [Row(Recipe(), prompt, DRAWN + i) for i, prompt in enumerate(words)]
    found = []
    for first in range(0, len(rows), AT_ONCE):
        work = Denoising(model, rows[first : first + AT_ONCE], SAMPLING)
        while work.done < work.total:
            work.step()
        found.append(work.latents)
    return torch.cat(found)


def measured(folder: Path, asked: Sequence[Asked], languages: Sequence[str] = ("en", "ko")) -> dict[str, Any]:
    """By language and kind: each prompt's numbers."""
    model = opened(folder)
    report: dict[str, Any] = {}
    for language in languages:
        z = drawn(model, [each.words[language] for each in asked])  # (N, C, h, w)
        places = {kind: [i for i, each in enumerate(asked) if each.kind == kind] for kind in KINDS}
        report[language] = {kind: numbers(z[of], [asked[i] for i in of]) for kind, of in places.items()}
    return report


def numbers(z: Tensor, asked: Sequence[Asked]) -> dict[str, list[float]]:
    """z: (N, C, h, w). A number a prompt, as the head of this file says."""
    z = z.flatten(1)  # (N, D)
    t, n = (torch.stack([getattr(each, style) for each in asked]).flatten(1) for style in ("twemoji", "noto"))
    line = t - n
    found = {
        "twemoji": (z - t).square().mean(1).sqrt(),
        "noto": (z - n).square().mean(1).sqrt(),
        "way": ((z - n) * line).sum(1) / line.square().sum(1),
        "nearest": (torch.cdist(z, torch.cat([t, n])).argmin(1) < len(asked)).float(),
    }
    return {name: [round(float(x), 4) for x in each] for name, each in found.items()}


# ---------------------------------------------------------------- the tables and the sheet


def table(kept: dict[str, Any]) -> str:
    lines = []
    for language in ("en", "ko"):
        for kind in KINDS:
            lines += ["", f"{language}, {kind}"]
            lines += [
                "| run | to Twemoji | to Noto | way | nearest | to Twemoji by | way by |",
                "|" + "---|" * 7,
            ]
            before = kept[BEFORE][language][kind]
            lines.append(f"| before | {' | '.join(f'{mean(before[each]):.2f}' for each in before)} | – | – |")
            for name in RUNS | ONCE:
                found = [kept[key] for seed in SEEDS if (key := f"{name}-{seed}") in kept]
                runs = [each[language][kind] for each in found if language in each]
                if runs:
                    cells = [spread([mean(each[measure]) for each in runs]) for measure in before]
                    cells += [interval(moved(before[each], [run[each] for run in runs])) for each in MOVED]
                    lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def moved(before: Sequence[float], after: Sequence[Sequence[float]]) -> list[float]:
    """Each prompt's change, the mean over training seeds."""
    return [mean(each) - first for first, *each in zip(before, *after, strict=True)]


def mean(found: Iterable[float]) -> float:
    return statistics.fmean(found)


def spread(found: Sequence[float]) -> str:
    """Mean over training seeds, least and most."""
    least_and_most = f" ({min(found):.2f}–{max(found):.2f})" if len(found) > 1 else ""
    return f"{mean(found):.2f}{least_and_most}"


def interval(found: Sequence[float]) -> str:
    """Mean over prompts, and its 95 % interval."""
    half = STUDENT * statistics.stdev(found) / math.sqrt(len(found))
    return f"{mean(found):+.2f} ± {half:.2f}"


def sheet() -> Image.Image:
    """Rows: Noto, the starter, each run of seed 0, Twemoji. Columns: each kind's first kept-back prompts."""
    columns = {"face": 6, "flag": 6, "other": 4}
    rows = [json.loads(line) for line in (HELD_OUT / "prompts.jsonl").read_text("utf-8").splitlines()]
    shown = [row for kind, n in columns.items() for row in [r for r in rows if r["kind"] == kind][:n]]
    models = {"before": STARTER} | {
        name: folder for name in RUNS | ONCE if (folder := folder_of(f"twemoji-{name}-0")).exists()
    }
    words = [row["en"] for row in shown]
    lines = {"Noto": [np.asarray(Image.open(HELD_OUT / "noto" / row["file_name"])) for row in shown]}
    for name, folder in models.items():
        model = opened(folder)
        with torch.inference_mode():
            lines[name] = list(decode(model, drawn(model, words), [Recipe()] * len(words)))
    lines["Twemoji"] = [np.asarray(Image.open(HELD_OUT / "twemoji" / row["file_name"])) for row in shown]
    left, cell = 84, 70
    canvas = Image.new("RGB", (left + cell * len(shown), cell * len(lines)), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(14)
    for y, (name, pictures) in enumerate(lines.items()):
        pen.text((6, y * cell + cell / 2), name, fill="#333333", font=font, anchor="lm")
        for x, picture in enumerate(pictures):
            canvas.paste(Image.fromarray(picture), (left + x * cell + 3, y * cell + 3))
    return canvas.quantize(192, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
