"""Our training loop on pictures against diffusers' own LoRA loop: `python -m bench.train_pictures`.

Theirs is what diffusers' examples/text_to_image/train_text_to_image_lora.py does: PEFT's adapter on the
UNet's attention, accelerate; every step reads its pictures, encodes them by the VAE and the captions by the
text encoder. The same model, adapter, pictures, batch and precision. Ours encodes the pictures once; in the
second row theirs has pictures and captions encoded beforehand, so that only the loops differ. Memory is the
most that a process of its own held, above what the imports took. That the losses are the same is held by
tests/core/train/pictures/test_parity.py.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from diffusers import DDPMScheduler, StableDiffusionPipeline
from diffusers.optimization import get_scheduler
from diffusers.training_utils import cast_training_params
from diffusers.utils import logging as diffusers_logging
from peft import LoraConfig
from PIL import Image
from torch.utils.data import DataLoader, Dataset

from bench.harness import in_turns, line
from imfine.core.data.rows import Picture
from imfine.core.models.known import SHIPPED
from imfine.core.models.load import use_cores
from imfine.core.train.loop import peak_memory
from imfine.core.train.plan import Plan
from imfine.core.train.prepare import prepare
from imfine.core.train.prepared import Prepared

MODEL = SHIPPED / "emoji-diffusion"
SIDE = 64  # pixels
STEPS = 20  # of a run that is timed
TARGETS = ["to_k", "to_q", "to_v", "to_out.0"]
CAPTIONS = [
    *("red apple", "cat face", "grinning face", "pizza", "rocket"),
    *("red heart", "house", "bicycle", "octopus", "flag: Japan"),
    *("웃는 얼굴", "강아지 얼굴", "수박", "자동차", "눈사람"),
    *("장미꽃", "해바라기", "책 여러 권", "깃발: 대한민국", "생일 케이크"),
]  # of reference.png


@dataclass(frozen=True)
class Source:
    id: str = MODEL.name
    path: Path = MODEL
    checksum: str = ""


class Pictures:
    """The starter's own reference pictures, a PNG each."""

    kind, rows, hash = "image", len(CAPTIONS), "bench"

    def __init__(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="bench-pictures-"))
        self._rows = []
        with Image.open(MODEL / "reference.png") as strip:
            for i, caption in enumerate(CAPTIONS):
                path = folder / f"{i}.png"
                strip.convert("RGB").crop((i * SIDE, 0, (i + 1) * SIDE, SIDE)).save(path)
                self._rows.append(Picture(path, caption, SIDE, SIDE))

    def row(self, index: int) -> Picture:
        return self._rows[index]

    def split(self, seed: int, eval_share: float) -> tuple[range, range]:
        return range(self.rows), range(0)


class Examples(Dataset[dict[str, torch.Tensor]]):
    """Pixels and token ids, made when they are asked for."""

    def __init__(self, data: Pictures, tokenizer: Any) -> None:
        self.data, self.tokenizer = data, tokenizer

    def __len__(self) -> int:
        return self.data.rows

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        row = self.data.row(index)
        with Image.open(row.path) as image:
            pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))
        ids = self.tokenizer(
            row.caption,
            max_length=self.tokenizer.model_max_length,
            padding="max_length",
            truncation=True,
            return_tensors="pt",
        ).input_ids[0]
        return {"pixels": torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1).float(), "ids": ids}


class Encoders:
    """VAE and text encoder of a pipeline, asked at every step, or once for each example."""

    def __init__(self, pipeline: Any) -> None:
        self.vae, self.text_encoder = pipeline.vae, pipeline.text_encoder

    @torch.no_grad()
    def __call__(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        found = self.vae.encode(batch["pixels"].to(self.vae.dtype)).latent_dist
        words = self.text_encoder(batch["ids"], return_dict=False)[0]
        return {"mean": found.mean, "std": found.std, "words": words}

    def kept(self, examples: Examples) -> list[dict[str, torch.Tensor]]:
        each = [self({name: x[None] for name, x in examples[i].items()}) for i in range(len(examples))]
        return [{name: x[0] for name, x in encoded.items()} for encoded in each]


def ours(data: Pictures, plan: Plan) -> Callable[[], None]:
    folder = Path(tempfile.mkdtemp(prefix="bench-train-")) / "latents"
    steps = prepare(Accelerator(), Source(), data, plan, folder)
    found = next(each for each in steps if isinstance(each, Prepared))
    done = iter(range(10**9))

    def work() -> None:
        for _ in range(STEPS):
            found.stepper.take(next(done) % found.steps, lambda loss, norm: None)

    return work


def theirs(data: Pictures, plan: Plan, *, kept: bool = False) -> Callable[[], None]:
    """`kept`: latents and words are made once, before the first step."""
    accelerator = Accelerator()
    half = plan.dtype == "bfloat16"
    dtype = torch.bfloat16 if half else torch.float32
    pipeline = StableDiffusionPipeline.from_pretrained(MODEL, safety_checker=None, dtype=dtype)
    unet, vae, encoders = pipeline.unet, pipeline.vae, Encoders(pipeline)
    scheduler: Any = DDPMScheduler.from_pretrained(MODEL, subfolder="scheduler")
    for part in (unet, vae, pipeline.text_encoder):
        part.requires_grad_(False)
    unet.add_adapter(LoraConfig(r=plan.rank, lora_alpha=plan.lora_alpha, target_modules=TARGETS))
    cast_training_params(unet, dtype=torch.float32)
    layers = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(layers, lr=plan.learning_rate, weight_decay=plan.weight_decay)
    examples = Examples(data, pipeline.tokenizer)
    rows: Any = encoders.kept(examples) if kept else examples
    loader: Any = DataLoader(rows, plan.batch, shuffle=True, drop_last=True)
    rates = get_scheduler("constant", optimizer=optimizer)
    unet, optimizer, loader, rates = accelerator.prepare(unet, optimizer, loader, rates)
    unet.train()

    def endless() -> Any:
        while True:
            yield from loader

    batches = endless()

    def work() -> None:
        for _ in range(STEPS):
            batch = next(batches)
            with accelerator.accumulate(unet):
                encoded = batch if kept else encoders(batch)
                latents = encoded["mean"] + encoded["std"] * torch.randn_like(encoded["std"])
                latents = latents * vae.config.scaling_factor
                noise = torch.randn_like(latents)
                t = torch.randint(0, scheduler.config.num_train_timesteps, (len(latents),))
                noisy = scheduler.add_noise(latents, noise, t)
                target = scheduler.get_velocity(latents, noise, t)
                # its own bf16 flag and our Accelerator exclude each other in one process
                with torch.autocast("cpu", torch.bfloat16, enabled=half):
                    predicted = unet(noisy, t, encoded["words"], return_dict=False)[0]
                loss = F.mse_loss(predicted.float(), target.float(), reduction="mean")
                accelerator.gather(
                    loss.detach().repeat(plan.batch)
                ).mean().item()  # it tells every step's loss
                accelerator.backward(loss)
                accelerator.clip_grad_norm_(layers, plan.clip)
                optimizer.step()
                rates.step()
                optimizer.zero_grad()

    return work


def memory(which: str, words: list[str]) -> int:
    """Bytes that a timed run takes in a process of its own."""
    child = [sys.executable, "-m", "bench.train_pictures", "--memory-of", which, *words]
    return int(subprocess.run(child, capture_output=True, text=True, check=True).stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--batch", type=int, default=8, help="pictures")
    parser.add_argument("-n", type=int, default=5, help="pairs")
    parser.add_argument("--memory-of", choices=["ours", "theirs"], help=argparse.SUPPRESS)
    args = parser.parse_args()
    use_cores()
    diffusers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
    data = Pictures()
    plan = Plan(
        batch=args.batch, dtype=args.dtype, parts=("attn",), rank=4, steps=10_000, schedule="constant",
        warmup=0.0, caption_dropout=0.0, eval_share=0.0,
    )  # fmt: skip
    if args.memory_of:
        before = psutil.Process().memory_info().rss
        (ours if args.memory_of == "ours" else theirs)(data, plan)()
        print(peak_memory() - before)
        return
    mine = ours(data, plan)
    print(f"{MODEL.name}, LoRA on the attention, {args.dtype}, batch {args.batch}, {STEPS} steps\n")
    print("| what | ours | theirs | ratio (least–most) | wanted | pairs |\n|---|---|---|---|---|---|")
    for what, kept, wanted in (
        ("diffusers' loop's", False, "≥ 1"),
        ("that loop's, all encoded beforehand", True, "–"),
    ):
        pair = in_turns(mine, theirs(data, plan, kept=kept), args.n)
        print(line(f"pictures a second, times {what}", pair, wanted=wanted), flush=True)
    ours_mb, theirs_mb = (memory(which, sys.argv[1:]) / 1e6 for which in ("ours", "theirs"))
    ratio = f"**{ours_mb / theirs_mb:.2f}**"
    print(f"| memory above the imports' | {ours_mb:.0f} MB | {theirs_mb:.0f} MB | {ratio} | ≤ 1 | 1 |")


if __name__ == "__main__":
    main()
