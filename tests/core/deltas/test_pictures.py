"""Deltas of Stable Diffusion: diffusers' and kohya's files give diffusers' own numbers; live is baked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import small_pictures
import torch
from delta_models import Home
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from imfine.core.bake import bake
from imfine.core.deltas.found import deltas_of
from imfine.core.deltas.loaded import load_deltas
from imfine.core.models.catalog import find
from imfine.core.models.compvis import compvis_name
from imfine.core.recipe import Recipe
from imfine.settings import Settings

pytestmark = pytest.mark.usefixtures("one_thread")
KINDS = {"sd1": StableDiffusionPipeline, "sd2": StableDiffusionPipeline, "sdxl": StableDiffusionXLPipeline}
ATTENTION = ["to_q", "to_k", "to_v", "to_out.0"]
EVERYWHERE = [
    *ATTENTION,
    "proj_in",
    "proj_out",
    "ff.net.0.proj",
    "ff.net.2",
    "conv1",
    "time_emb_proj",
    "conv_in",
]
WORDS = ["q_proj", "v_proj", "out_proj", "fc1"]


def picture_home(home: Path, kind: str) -> Home:
    made = Home(Settings(home=home))
    small_pictures.save(kind, made.parent)
    return made


def pipeline(home: Home, kind: str) -> Any:
    pipe = KINDS[kind].from_pretrained(home.parent, safety_checker=None)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def give(home: Home, kind: str, name: str, unet: list[str], **config: Any) -> Path:
    """pytorch_lora_weights.safetensors as diffusers' training scripts write it."""
    pipe, layers = pipeline(home, kind), {}
    for part, modules in {"unet": unet, "text_encoder": WORDS, "text_encoder_2": WORDS}.items():
        if (module := getattr(pipe, part, None)) is None:
            continue
        torch.manual_seed(len(part))
        module.add_adapter(LoraConfig(**{"r": 3, "lora_alpha": 3, "target_modules": modules, **config}))
        with torch.no_grad():
            for key, parameter in module.named_parameters():
                if "lora_B" in key:
                    parameter.add_(torch.randn_like(parameter) * 0.3)
                if "magnitude" in key:
                    parameter.mul_(1.3)
        layers[f"{part}_lora_layers"] = get_peft_model_state_dict(module)
        if config:
            layers[f"{part}_lora_adapter_metadata"] = module.peft_config["default"].to_dict()
    folder = home.adapter(name)
    KINDS[kind].save_lora_weights(folder, **layers)
    return folder


def as_kohya(folder: Path, file: Path, kind: str) -> None:
    """The same in kohya's names, alpha twice the rank."""
    tensors = {}
    for key, tensor in load_file(folder / "pytorch_lora_weights.safetensors").items():
        part, _, rest = key.partition(".")
        module, _, side = rest.removesuffix(".weight").rpartition(".")
        if part == "unet":
            name = compvis_name(module, each=3) if kind == "sdxl" else module
            flat = f"lora_unet_{name.replace('.', '_')}"
        else:
            which = {"text_encoder": "te1" if kind == "sdxl" else "te", "text_encoder_2": "te2"}[part]
            words = module if module.startswith("text_model.") else f"text_model.{module}"
            flat = f"lora_{which}_{words.replace('.', '_')}"
        down = side in ("lora_A", "down")
        tensors[f"{flat}.lora_{'down' if down else 'up'}.weight"] = tensor
        tensors[f"{flat}.alpha"] = torch.tensor(6.0)
    save_file(tensors, file)


INPUTS = {"sd1": (32, None), "sd2": (32, None), "sdxl": (64, 32)}


def unet_output(unet: Any, kind: str, rows: int = 1) -> torch.Tensor:
    dice = torch.Generator().manual_seed(3)
    width, pooled = INPUTS[kind]
    noise, words = torch.randn(1, 4, 8, 8, generator=dice), torch.randn(1, 5, width, generator=dice)
    added = None
    if pooled:
        added = {
            "text_embeds": torch.randn(1, pooled, generator=dice).repeat(rows, 1),
            "time_ids": torch.tensor([[16.0, 16, 0, 0, 16, 16]]).repeat(rows, 1),
        }
    with torch.no_grad():
        out: torch.Tensor = unet(
            noise.repeat(rows, 1, 1, 1),
            torch.tensor(301),
            encoder_hidden_states=words.repeat(rows, 1, 1),
            added_cond_kwargs=added,
        ).sample
    return out


def encoder_outputs(encoders: Any, rows: int = 1) -> list[torch.Tensor]:
    ids = torch.arange(2, 12)[None].repeat(rows, 1)
    with torch.no_grad():
        return [encoder(ids).last_hidden_state for encoder in encoders]


def ours(model: Any, kind: str, *recipes: Recipe) -> list[torch.Tensor]:
    list(load_deltas(model, recipes))
    with model.equalizer.applied(model.equalizer.plan(recipes)):
        return [
            unet_output(model.unet, kind, len(recipes)),
            *encoder_outputs(model.text_encoders, len(recipes)),
        ]


def theirs(home: Home, kind: str, file: Path, strength: float) -> list[torch.Tensor]:
    pipe = pipeline(home, kind)
    pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name="mine")
    pipe.set_adapters(["mine"], [strength])
    encoders = [e for e in (pipe.text_encoder, getattr(pipe, "text_encoder_2", None)) if e is not None]
    return [unet_output(pipe.unet, kind), *encoder_outputs(encoders)]


def alike(
    live: list[torch.Tensor], reference: list[torch.Tensor], tolerance: float = 1e-5, row: int = 0
) -> bool:
    return all(
        (a[row : row + 1] - b).abs().max() < tolerance * b.abs().max()
        for a, b in zip(live, reference, strict=True)
    )


@pytest.mark.parametrize(
    ("kind", "unet", "config"),
    [
        ("sd1", ATTENTION, {}),
        ("sd1", EVERYWHERE, {"r": 4, "lora_alpha": 7}),
        ("sd2", EVERYWHERE, {}),
        ("sdxl", EVERYWHERE, {"r": 4, "lora_alpha": 2, "use_rslora": True}),
        ("sd1", ATTENTION, {"use_dora": True}),
    ],
)
def test_parity_with_diffusers(kind, unet, config, tmp_path):
    home = picture_home(tmp_path, kind)
    folder = give(home, kind, "mine", unet, **config)
    file = folder / "pytorch_lora_weights.safetensors"
    model = home.load()
    original = ours(model, kind, Recipe())
    for strength in (1.0,) if "use_dora" in config else (1.0, 0.4):
        reference = theirs(home, kind, file, strength)
        live = ours(model, kind, Recipe(deltas={"mine": strength}))
        assert not alike(live, original, 1e-2)
        # diffusers 0.42 with transformers 5 loses DoRA's lengths in the text encoder, and warns of it
        parts = 1 if "use_dora" in config else len(live)
        assert alike(live[:parts], reference[:parts])

    mixed = [Recipe(), Recipe(deltas={"mine": 0.7}), Recipe(attn=0.8, style=0.5, deltas={"mine": -0.6})]
    live = ours(model, kind, *mixed)
    for i, recipe in enumerate(mixed):
        assert alike(live, ours(model, kind, recipe), row=i)
    assert all(torch.equal(a, b) for a, b in zip(ours(model, kind, Recipe()), original, strict=True))


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_a_kohya_file_is_the_same_in_diffusers_and_here(kind, tmp_path):
    home = picture_home(tmp_path, kind)
    plain = give(home, kind, "plain", ATTENTION)
    folder = home.adapter("mine")
    as_kohya(plain, folder / "mine.safetensors", kind)
    model = home.load()
    live = ours(model, kind, Recipe(deltas={"mine": 0.5}))
    assert alike(live, theirs(home, kind, folder / "mine.safetensors", 0.5))
    assert alike(live, ours(model, kind, Recipe(deltas={"plain": 1.0})))  # alpha is twice the rank


@pytest.mark.parametrize("kind", ["sd1", "sdxl"])
def test_kohya_names_of_convolutions(kind, tmp_path):
    """Which diffusers does not read of a UNet: held against the same under diffusers' names."""
    home = picture_home(tmp_path, kind)
    plain = give(home, kind, "plain", EVERYWHERE)
    folder = home.adapter("mine")
    as_kohya(plain, folder / "mine.safetensors", kind)
    model = home.load()
    assert alike(
        ours(model, kind, Recipe(deltas={"mine": 0.25})), ours(model, kind, Recipe(deltas={"plain": 0.5}))
    )


@pytest.mark.parametrize("dora", [False, True])
def test_live_is_baked(dora, tmp_path):
    home = picture_home(tmp_path, "sd1")
    give(home, "sd1", "mine", EVERYWHERE if not dora else ATTENTION, **({"use_dora": True} if dora else {}))
    model = home.load()
    deltas = deltas_of(find("parent", home.settings, any_folder=False), home.settings)
    blocks = len(model.layout.bands)
    knob = {"strength": 0.9, "bands": {"attn": [0.5 + i % 2 for i in range(blocks)], "mlp": [0.0] * blocks}}
    for i, recipe in enumerate(
        [Recipe(deltas={"mine": 0.5}), Recipe(attn=0.8, mlp=1.2, tone=0.5, style=-0.5, deltas={"mine": knob})]
    ):
        list(bake(home.parent, recipe, home.settings.models_dir / f"baked-{i}", deltas))
        baked = home.load(f"baked-{i}")
        assert alike(ours(model, "sd1", recipe), ours(baked, "sd1", Recipe()), 1e-4)


def test_a_slider_tells_its_range_and_label(tmp_path):
    home = picture_home(tmp_path, "sd1")
    folder = give(home, "sd1", "region", ATTENTION)
    (folder / "adapter.json").unlink()
    (folder / "imfine-train.json").write_text(
        '{"kind": "slider", "low": -2, "high": 2, "label": {"en": "Region", "ko": "지역"},'
        f' "parent": {{"id": "parent", "checksum": "{home.checksum}"}}}}'
    )
    (told,) = [d.to_json() for d in deltas_of(find("parent", home.settings, any_folder=False), home.settings)]
    assert (told["kind"], told["low"], told["high"]) == ("slider", -2.0, 2.0)
    assert told["label"] == {"en": "Region", "ko": "지역"}
