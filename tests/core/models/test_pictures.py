"""Image folders: their layout, their card, what is refused; loaded, baked, loaded again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from small_pictures import KINDS, STARTER, loaded, save, unet_of
from transformers import CLIPTextConfig, CLIPTextModel

from imfine.core.families import ImageLayout, layout, tensor_name
from imfine.core.image.model import parts
from imfine.core.models import catalog
from imfine.core.models.local import read_local
from imfine.errors import ImfineError, ModelBroken, ModelRefused, UnsupportedArchitecture
from imfine.settings import settings

SD15_UNET = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
}
SD15_VAE = {
    "block_out_channels": (128, 256, 512, 512),
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
    "layers_per_block": 2,
}
SDXL_UNET = {
    "sample_size": 128,
    "block_out_channels": (320, 640, 1280),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (5, 10, 20),
    "cross_attention_dim": 2048,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}


def configs(folder: Path) -> dict[str, Any]:
    return read_local(folder).config


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    made = {kind: save(kind, tmp_path_factory.mktemp("m") / kind) for kind in KINDS}
    return {**made, "starter": STARTER}


@pytest.mark.parametrize("kind", [*KINDS, "starter"])
def test_a_layout_names_every_attention_feed_forward_and_norm_of_the_model(
    folders: dict[str, Path], kind: str
) -> None:
    model = loaded(folders[kind])
    modules = torch.nn.ModuleDict(parts(model))
    named = dict(modules.named_modules())
    shapes = {name: tuple(p.shape) for name, p in modules.named_parameters()}
    where = model.layout
    reached = set()
    for band in where.bands:
        for module, weight in band.matrices:
            name = tensor_name(module, shapes)
            assert name is not None, module
            assert shapes[name][0] == sum(segment.size for segment in where.segments[weight])
            reached.add(name.removesuffix(".weight"))
        for norm in band.norms:
            found = named.get(norm, named.get(norm.replace(".text_model.", ".")))
            assert found.eps == where.eps_of(norm), norm
            reached.add(norm if norm in named else norm.replace(".text_model.", "."))
    words = ("attn", "ff.net", "mlp.fc", "norm")
    expected = {
        name
        for name, module in named.items()
        if isinstance(module, (torch.nn.Linear, torch.nn.GroupNorm, torch.nn.LayerNorm))
        and any(word in name for word in words)
        and not name.startswith("vae.")
    }
    left = {"unet.conv_norm_out"} | {name for name in expected if name.endswith("final_layer_norm")}
    assert reached == expected - left


def test_bands_have_the_communitys_names() -> None:
    scheduler, text = {"prediction_type": "epsilon"}, CLIPTextConfig().to_dict()
    both = {"vae": SD15_VAE | {"latent_channels": 4}, "scheduler": scheduler}
    with torch.device("meta"):
        sd15, sdxl = UNet2DConditionModel(**SD15_UNET), UNet2DConditionModel(**SDXL_UNET)
    first = layout(
        {"_class_name": "StableDiffusionPipeline", "unet": dict(sd15.config), "text_encoder": text, **both}
    )
    assert first.layers == 26
    assert [first.band_names[i] for i in (0, 11, 12, 13, 24, 25)] == [
        "IN00",
        "IN11",
        "M00",
        "OUT00",
        "OUT11",
        "TE",
    ]
    attending = [band.name for band in first.bands if any("attn2" in name for name, _ in band.matrices)]
    assert attending == [
        *("IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "M00"),
        *(f"OUT{i:02}" for i in range(3, 12)),
    ]
    assert first.to_json()["trainable_bands"] == [*attending, "TE"]
    xl = layout(
        {
            "_class_name": "StableDiffusionXLPipeline",
            "unet": dict(sdxl.config),
            "text_encoder": text,
            "text_encoder_2": text,
            **both,
        }
    )
    assert xl.layers == 20
    assert isinstance(xl, ImageLayout)
    assert xl.to_json()["image"] == {
        "sample_size": 1024,
        "multiple_of": 8,
        "latent_channels": 4,
        "encoders": 2,
        "window": 77,
        "prediction": "epsilon",
    }
    depth = {band.name: sum("attn2.to_q" in name for name, _ in band.matrices) for band in xl.bands}
    assert (depth["IN04"], depth["IN07"], depth["M00"], depth["OUT00"], depth["OUT03"], depth["OUT06"]) == (
        *(2, 10, 10, 10, 2, 0),
    )
    with torch.device("meta"):
        for model, where in ((sd15, first), (sdxl, xl)):
            there = {f"unet.{name}" for name, _ in model.named_modules()}
            unet = [n for band in where.bands for n, _ in band.matrices if n.startswith("unet.")]
            assert set(unet) <= there
            assert len(unet) == sum(
                ("attn" in n and n.endswith(("to_q", "to_k", "to_v", "to_out.0")))
                or n.endswith(("ff.net.0.proj", "ff.net.2"))
                for n in there
            )


def test_stable_diffusion_1_5_has_1130_tensors() -> None:
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SD15_UNET)
        vae = AutoencoderKL(**SD15_VAE)
        text = CLIPTextModel(
            CLIPTextConfig(
                hidden_size=768, intermediate_size=3072, num_attention_heads=12, num_hidden_layers=12
            )
        )
    counts = [len(list(part.named_parameters())) for part in (unet, vae, text)]
    assert counts == [686, 248, 196]
    assert sum(counts) == 1130


def test_the_starters_card() -> None:
    card = catalog.find("emoji-diffusion", settings(), any_folder=False)
    assert (card.ready, card.starter, card.family, card.layers) == (True, True, "stable-diffusion", 14)
    assert card.languages == ["en", "ko"]
    assert card.parameters == 15_275_819
    assert card.memory_needed is not None
    told = catalog.inspect("emoji-diffusion", settings())
    assert len(told["tensors"]) == 550
    assert told["layout"]["image"]["sample_size"] == 64
    assert told["layout"]["knobs"] == ["eps", "attn", "mlp", "tone", "style"]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STARTER, tmp_path / "m", ignore=shutil.ignore_patterns("*.py", "*.png")))


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def refused(folder: Path) -> ImfineError:
    with pytest.raises(ImfineError) as caught:
        read_local(folder)
    return caught.value


def test_a_cut_weight_file_is_told(copy: Path) -> None:
    file = copy / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:100_000])
    assert isinstance(refused(copy), ModelBroken)


def test_pickles_alone_are_refused(copy: Path) -> None:
    (copy / "unet" / "diffusion_pytorch_model.safetensors").rename(
        copy / "unet" / "diffusion_pytorch_model.bin"
    )
    told = refused(copy)
    assert isinstance(told, ModelRefused)
    assert "pickled" in str(told)


def test_a_part_of_another_class_is_refused(copy: Path) -> None:
    change(copy / "model_index.json", unet=["my_code", "MyUNet"])
    assert "MyUNet" in str(refused(copy))


@pytest.mark.parametrize(
    "name", ["FluxPipeline", "StableDiffusionInpaintPipeline", ["my_code", "Pipe"], None]
)
def test_another_pipeline_is_named(copy: Path, name: Any) -> None:
    change(copy / "model_index.json", _class_name=name)
    assert isinstance(refused(copy), UnsupportedArchitecture)


def test_an_inpainting_unet_is_named(copy: Path) -> None:
    change(copy / "unet" / "config.json", in_channels=9)
    assert "9 input channels" in str(refused(copy))


@pytest.mark.parametrize(
    "wrong",
    [
        {"block_out_channels": None},
        {"block_out_channels": [64, -1, 192]},
        {"layers_per_block": [1, 2]},
        {"layers_per_block": 10**9},
        {"down_block_types": ["DownBlock2D"]},
        {"norm_eps": "1e-5"},
        {"sample_size": None},
    ],
)
def test_a_malformed_unet_config_is_told(copy: Path, wrong: dict[str, Any]) -> None:
    change(copy / "unet" / "config.json", **wrong)
    told = refused(copy)
    assert isinstance(told, ModelBroken)
    assert next(iter(wrong)) in str(told)


def test_a_link_out_of_a_part_is_refused(copy: Path, tmp_path: Path) -> None:
    file = copy / "unet" / "config.json"
    shutil.move(file, tmp_path / "outside.json")
    file.symlink_to(tmp_path / "outside.json")
    assert isinstance(refused(copy), ModelRefused)


@pytest.mark.parametrize("part", ["unet", "tokenizer", "scheduler"])
def test_a_missing_part_is_told(copy: Path, part: str) -> None:
    shutil.rmtree(copy / part)
    assert part in str(refused(copy))


def test_half_precision_variants_are_read(tmp_path: Path) -> None:
    folder = save("sd1", tmp_path / "m")
    whole = loaded(folder)
    for part in ("unet", "vae"):
        file = folder / part / "diffusion_pytorch_model.safetensors"
        file.rename(file.with_name("diffusion_pytorch_model.fp16.safetensors"))
    (folder / "text_encoder" / "model.safetensors").rename(folder / "text_encoder" / "model.fp16.safetensors")
    assert loaded(folder).fingerprints == whole.fingerprints


def test_an_odd_number_of_transformers_a_block_is_walked() -> None:
    unet = unet_of("sdxl", layers_per_block=(1, 3), transformer_layers_per_block=(1, 3))
    scheduler, text = {"prediction_type": "epsilon"}, CLIPTextConfig().to_dict()
    where = layout(
        {
            "_class_name": "StableDiffusionXLPipeline",
            "unet": dict(unet.config),
            "text_encoder": text,
            "text_encoder_2": text,
            "vae": SD15_VAE | {"latent_channels": 4},
            "scheduler": scheduler,
        }
    )
    there = {f"unet.{name}" for name, _ in unet.named_modules()}
    assert {n for band in where.bands for n, _ in band.matrices if n.startswith("unet.")} <= there
