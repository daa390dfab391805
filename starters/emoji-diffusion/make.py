"""Makes emoji-diffusion: a small but true Stable Diffusion that draws 64x64 emoji from English and Korean.

    python starters/emoji-diffusion/make.py --work DIR [--minutes 70] [--from-scratch] [--resume] [--out DIR]

1. fetches the font and the names by apt and npm, draws the emoji, tints copies of them (emojis.py);
2. trains the VAE's decoder on, with the encoder as it is, so that the latents stay (vae.py);
3. trains text encoder and UNet together, from the weights in this folder (diffusion.py). The cosine runs over
   minutes rather than steps, so that it ends when it was promised, however slow or busy the machine;
4. writes the averaged weights, in fp16, and the tokenizer to `--out`.

With `--from-scratch` a tokenizer is trained on the captions, the whole VAE on the pictures, and nothing of
this folder but the shapes is used. The first version was made so: the VAE in 20 minutes at 1e-3, text encoder
and UNet in 72 at 8e-4 and another leg of 24 at 6e-4, on two CPU cores, with neither tints nor weighting.

Step 3 may be stopped or paused at any time: a checkpoint is written every three minutes, `--resume` goes on
from it (given beside `--from-scratch` where that was given). measure.py says how good the result is, sheet.py
paints the card's pictures.
Needs the project's environment, Debian's apt-get and dpkg, and npm.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
from pathlib import Path

import diffusion
import emojis
import torch
import vae as vaes
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from emojis import Emoji
from tokenizers import Tokenizer, pre_tokenizers, trainers
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

HERE = Path(__file__).parent
VOCABULARY = 4096
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]
TINTS = 0.15  # of the pictures seen
SEED = 1999  # the year of the first emoji


def main() -> None:
    args = arguments()
    if args.pid_file:
        args.pid_file.write_text(f"{os.getpid()}\n")
    torch.set_num_threads(args.threads)
    torch.manual_seed(SEED)
    args.work.mkdir(parents=True, exist_ok=True)
    found = emojis.emojis(args.work / "packages")
    tints = [(i, c) for i, each in enumerate(found) for c in emojis.COLOURS if emojis.tintable(each, c)]
    pictures = as_tensor([each.pixels for each in found])
    tinted = as_tensor([emojis.tint(found[i].pixels, c) for i, c in tints])
    everything = torch.cat([pictures, tinted])

    model = painting(from_scratch=args.from_scratch)
    checkpoint = diffusion.Checkpoint(args.work / "checkpoint.pt", model, args.learning_rate)
    if args.resume:
        checkpoint.load()
    vae = vae_of(args, everything)
    latents = kept_latents(args.work / "latents.pt", vae, everything, anew=not args.resume)
    if not args.from_scratch and not args.resume:
        vaes.fit(vae, everything, args.vae_minutes * 60, 5e-4, latents)
    if not args.resume:
        vae.save_pretrained(args.work / "vae")
    tokenizer = bpe(found, args.work / "tokenizer") if args.from_scratch else tokenizer_of(HERE)
    scheduler = DDIMScheduler.from_pretrained(HERE / "scheduler")
    plain, tinted_ = (latents * vae.config.scaling_factor).split([len(found), len(tints)])
    batches = Batches(found, tints, plain, tinted_)
    diffusion.fit(checkpoint, tokenizer, scheduler, batches, args.minutes * 60)
    checkpoint.settle()
    export(args.out, vae, model, tokenizer)
    said = {"steps": checkpoint.step, "minutes": round(checkpoint.seconds / 60, 1)}
    print(json.dumps(said))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="folder for packages, checkpoint and log")
    parser.add_argument("--out", type=Path, default=HERE, help="folder for the model (this one)")
    parser.add_argument("--minutes", type=float, default=70, help="of text encoder and UNet")
    parser.add_argument("--learning-rate", type=float, default=5e-4, help="their highest")
    parser.add_argument("--vae-minutes", type=float, default=10, help="of the VAE or its decoder")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--pid-file", type=Path, help="where to write the process id")
    parser.add_argument("--resume", action="store_true", help="go on with what was stopped")
    parser.add_argument("--from-scratch", action="store_true", help="from random weights")
    return parser.parse_args()


class Batches:
    """Latents and captions at random: an emoji as it is, or now and then a tint of one."""

    def __init__(
        self, found: list[Emoji], tints: list[tuple[int, str]], plain: Tensor, tinted: Tensor
    ) -> None:
        self.emojis, self.tints, self.plain, self.tinted = found, tints, plain, tinted

    def __call__(self, dice: random.Random) -> diffusion.Batch:
        latents, captions = [], []
        for _ in range(diffusion.BATCH):
            if dice.random() < TINTS:
                which = dice.randrange(len(self.tints))
                index, colour = self.tints[which]
                latents.append(self.tinted[which])
                captions.append(emojis.caption(self.emojis[index], dice, colour))
            else:
                which = dice.randrange(len(self.emojis))
                latents.append(self.plain[which])
                captions.append(emojis.caption(self.emojis[which], dice))
        return torch.stack(latents), captions


def as_tensor(pictures: list[emojis.Pixels]) -> Tensor:
    """(N, 3, H, W) of uint8."""
    return torch.stack([torch.from_numpy(each.copy()).permute(2, 0, 1) for each in pictures])


def vae_of(args: argparse.Namespace, pictures: Tensor) -> AutoencoderKL:
    """That of the run that goes on, this folder's, or a new one, trained."""
    if args.resume:
        return AutoencoderKL.from_pretrained(args.work / "vae").eval().requires_grad_(False)
    if not args.from_scratch:
        return AutoencoderKL.from_pretrained(HERE / "vae", torch_dtype=torch.float32)
    vae = AutoencoderKL.from_config(AutoencoderKL.load_config(HERE / "vae"))
    vaes.fit(vae, pictures, args.vae_minutes * 60, 1e-3)
    vae.register_to_config(scaling_factor=1 / float(vaes.encode(vae, pictures[:2000]).std()))
    return vae


def kept_latents(path: Path, vae: AutoencoderKL, pictures: Tensor, *, anew: bool) -> Tensor:
    """(N, C, h, w), not yet scaled; from the file if there is one and it is not to be made anew."""
    if anew or not path.exists():
        torch.save(vaes.encode(vae, pictures), path)
    latents: Tensor = torch.load(path, weights_only=True)
    return latents


def painting(*, from_scratch: bool) -> diffusion.Painting:
    if from_scratch:
        text_encoder = CLIPTextModel(CLIPTextConfig.from_pretrained(HERE / "text_encoder"))
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(HERE / "unet"))
    else:
        text_encoder = CLIPTextModel.from_pretrained(HERE / "text_encoder", dtype=torch.float32)
        unet = UNet2DConditionModel.from_pretrained(HERE / "unet", torch_dtype=torch.float32)
    return diffusion.Painting(text_encoder, unet).requires_grad_(True)


def tokenizer_of(folder: Path) -> CLIPTokenizer:
    tokenizer: CLIPTokenizer = CLIPTokenizer.from_pretrained(str(folder / "tokenizer"), local_files_only=True)
    return tokenizer


def bpe(found: list[Emoji], folder: Path) -> CLIPTokenizer:
    """CLIP's way to make tokens of words, with entries trained on the names and tags."""
    if not folder.exists():
        tokenizer = Tokenizer.from_file(str(HERE / "tokenizer" / "tokenizer.json"))
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=SPECIAL,
            end_of_word_suffix="</w>",
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        words = [text for each in found for side in (0, 1) for text in (each.labels[side], *each.tags[side])]
        words += [word for colour in emojis.COLOURS.values() for side in colour.words for word in side]
        words += [word for side in emojis.CLASSES.values() for word in side]
        tokenizer.train_from_iterator(words, trainer)
        shutil.copytree(HERE / "tokenizer", folder)
        tokenizer.save(str(folder / "tokenizer.json"))
    return tokenizer_of(folder.parent)


def export(out: Path, vae: AutoencoderKL, model: diffusion.Painting, tokenizer: CLIPTokenizer) -> None:
    """The folder as diffusers reads it, the weights in fp16."""
    out.mkdir(parents=True, exist_ok=True)
    for name, part in (("vae", vae), ("unet", model.unet), ("text_encoder", model.text_encoder)):
        part.half().save_pretrained(out / name)
    if out != HERE:
        shutil.copy(HERE / "model_index.json", out)
        shutil.copytree(HERE / "scheduler", out / "scheduler", dirs_exist_ok=True)
    if (used := Path(tokenizer.name_or_path)) != out / "tokenizer":
        shutil.copytree(used, out / "tokenizer", dirs_exist_ok=True)


if __name__ == "__main__":
    main()
