"""Names held to diffusers' own converters on the real shapes, and every kind of other file told apart."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import diffusers
import pytest
import torch
import transformers
from diffusers.loaders import single_file_utils as theirs
from safetensors.torch import save_file
from single_files import Tensors, compvis

from imfine.core.manifest import manifest
from imfine.core.models import catalog
from imfine.core.models.compvis import renamed
from imfine.core.models.convert_single import convert_single
from imfine.core.models.diffusion_configs import SD15, SD21, SDXL
from imfine.core.models.local import read_local
from imfine.core.models.single_file import read_single_file
from imfine.core.models.weights import PARTS, TensorInfo
from imfine.core.recipe import Recipe
from imfine.errors import ImfineError, ModelBroken, ModelRefused, UnsupportedArchitecture
from imfine.settings import settings

CONFIGS = {"sd1": SD15, "sd2": SD21, "sdxl": SDXL}


def shapes_of(config: dict[str, Any]) -> dict[str, Tensors]:
    """Every part's tensors in the real size, without memory."""
    made = {}
    with torch.device("meta"):
        for part in PARTS:
            if part not in config:
                continue
            if part.startswith("text"):
                kind = getattr(transformers, config[part]["architectures"][0])
                made[part] = kind(transformers.CLIPTextConfig(**config[part])).state_dict()
            else:
                kind = getattr(diffusers, config[part]["_class_name"])
                made[part] = kind.from_config(config[part]).state_dict()
    return made


def bare(name: str) -> str:
    return name.replace("text_model.", "")


@pytest.mark.parametrize("kind", CONFIGS)
def test_the_names_and_shapes_are_those_of_diffusers_converters(kind: str) -> None:
    config = CONFIGS[kind]
    wanted = shapes_of(config)
    with torch.device("meta"):
        file = compvis(kind, wanted, config, width=1024)
    infos = {
        name: TensorInfo(name, "F16", tuple(t.shape), Path("m"), 2 * t.numel(), 0) for name, t in file.items()
    }
    ours: dict[str, dict[str, tuple[int, ...]]] = {}
    for name, tensor in renamed(infos, config).items():
        part, _, rest = name.partition(".")
        ours.setdefault(part, {})[bare(rest)] = tensor.shape
        assert tensor.nbytes == 2 * tensor.size
    encoders = {
        "sd1": {"text_encoder": theirs.convert_ldm_clip_checkpoint},
        "sd2": {"text_encoder": _open_clip("cond_stage_model.model.")},
        "sdxl": {
            "text_encoder": theirs.convert_ldm_clip_checkpoint,
            "text_encoder_2": _open_clip("conditioner.embedders.1.model."),
        },
    }[kind]
    converted = {
        "unet": theirs.convert_ldm_unet_checkpoint(dict(file), config["unet"]),
        "vae": theirs.convert_ldm_vae_checkpoint(dict(file), config["vae"]),
        **{part: convert(dict(file)) for part, convert in encoders.items()},
    }
    assert ours.keys() == converted.keys() == wanted.keys()
    for part, tensors in converted.items():
        known = {bare(name): tuple(t.shape) for name, t in tensors.items() if "position_ids" not in name}
        assert ours[part] == known, part
        assert ours[part] == {bare(name): tuple(t.shape) for name, t in wanted[part].items()}, part


def _open_clip(prefix: str) -> Any:
    def convert(file: Tensors) -> Tensors:
        model = transformers.CLIPTextModelWithProjection if "embedders" in prefix else None
        made: Tensors = theirs.convert_open_clip_checkpoint(model, file, prefix=prefix)
        return made

    return convert


def header(file: Path, tensors: Tensors) -> Path:
    """A safetensors file of such tensors in half precision, with a hole for data."""
    entries, position = {}, 0
    for name, tensor in tensors.items():
        end = position + 2 * tensor.numel()
        entries[name] = {"dtype": "F16", "shape": list(tensor.shape), "data_offsets": [position, end]}
        position = end
    text = json.dumps(entries).encode()
    file.write_bytes(len(text).to_bytes(8, "little") + text)
    os.truncate(file, 8 + len(text) + position)
    return file


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Files of the real shapes."""
    folder = tmp_path_factory.mktemp("headers")
    made = {}
    for kind, config in CONFIGS.items():
        with torch.device("meta"):
            tensors = compvis(kind, shapes_of(config), config, width=1024)
        made[kind] = header(folder / f"{kind}.safetensors", tensors)
    return made


@pytest.mark.parametrize(
    ("kind", "name", "parameters", "pixels"),
    [
        ("sd1", "sd1 (Stable Diffusion 1.x)", 1_066_235_307, 512),
        ("sd2", "sd2 (Stable Diffusion 2.x, v-prediction)", 1_289_952_427, 768),
        ("sdxl", "sdxl (Stable Diffusion XL)", 3_468_837_867, 1024),
    ],
)
def test_files_of_the_real_shapes_are_known(
    headers: dict[str, Path], kind: str, name: str, parameters: int, pixels: int
) -> None:
    local = read_local(headers[kind])
    assert local.facts["name"] == name
    assert local.parameters == parameters
    assert local.expanded_size == 2 * parameters
    assert local.layout.to_json()["image"]["sample_size"] == pixels
    assert local.tensors is not None
    assert manifest(local.layout, Recipe.parse({"attn": 1.2}), {n: t.shape for n, t in local.tensors.items()})


def test_a_card_needs_no_torch(headers: dict[str, Path]) -> None:
    code = "import sys; from pathlib import Path; from imfine.core.models.local import read_local; "
    code += f"read_local(Path({str(headers['sdxl'])!r})); sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_smaller_relative_of_xl_is_told(headers: dict[str, Path], tmp_path: Path) -> None:
    with torch.device("meta"):
        tensors = compvis("sdxl", shapes_of(SDXL), SDXL)
    smaller = {name: t for name, t in tensors.items() if "transformer_blocks.9." not in name}
    with pytest.raises(UnsupportedArchitecture, match="not shaped as Stable Diffusion XL: it has no unet"):
        read_local(header(tmp_path / "m.safetensors", smaller))


@pytest.mark.parametrize("name", ["", ".", "input_blocks.0", "input_blocks." + "9" * 5000 + ".0.x", "a.ß.²"])
@pytest.mark.parametrize(
    "prefix", ["model.diffusion_model.", "first_stage_model.", "cond_stage_model.transformer."]
)
def test_odd_names_are_told(headers: dict[str, Path], tmp_path: Path, prefix: str, name: str) -> None:
    with torch.device("meta"):
        tensors = compvis("sd1", shapes_of(SD15), SD15)
        tensors[prefix + name] = torch.zeros(3)
    file = header(tmp_path / "m.safetensors", tensors)
    if prefix.startswith("cond"):  # transformers' own names: only its module can tell
        with pytest.raises(ModelBroken, match="does not know"):
            list(convert_single(read_single_file(file), tmp_path, tmp_path / "t"))
    else:
        with pytest.raises(UnsupportedArchitecture, match="does not know"):
            read_local(file)


OTHERS = {
    "lora": ({"lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight": (4, 8)}, "an adapter"),
    "peft": ({"unet.down_blocks.0.attentions.0.to_q.lora_A.weight": (4, 8)}, "an adapter"),
    "lycoris": ({"lora_te_text_model_encoder_layers_0_mlp_fc1.hada_w1_a": (4, 8)}, "an adapter"),
    "flux": ({"double_blocks.0.img_attn.norm.key_norm.scale": (8,)}, "a Flux"),
    "flux2": ({"model.diffusion_model.double_blocks.0.img_attn.qkv.weight": (8,)}, "a Flux"),
    "sd3": ({"model.diffusion_model.joint_blocks.0.x_block.mlp.fc1.weight": (8,)}, "a Stable Diffusion 3"),
    "controlnet": ({"control_model.time_embed.0.weight": (8,)}, "a ControlNet"),
    "vae": ({"first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3)}, "a VAE alone"),
    "vae2": ({"decoder.conv_in.weight": (8, 3, 3, 3)}, "a VAE alone"),
    "unet": ({"down_blocks.0.resnets.0.conv1.weight": (8, 8, 3, 3)}, "one part of a diffusers folder"),
    "text": ({"model.layers.0.mlp.up_proj.weight": (8, 8)}, "a language model's weights"),
    "embedding": ({"emb_params": (1, 8)}, "an embedding"),
    "strange": ({"strange.weight": (1, 8)}, "no Stable Diffusion: its tensors have names like strange"),
    "inpainting": ({"model.diffusion_model.input_blocks.0.0.weight": (8, 9, 3, 3)}, r"9 input .* inpainting"),
    "odd": ({"model.diffusion_model.input_blocks.0.0.weight": (8,)}, "0 input channels"),
    "refiner": (
        {
            "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
            "conditioner.embedders.0.model.transformer.resblocks.9.mlp.c_proj.bias": (8,),
        },
        "refiner",
    ),
    "wordless": ({"model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3)}, "without its text encoder"),
    "blind": (
        {
            "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
            "cond_stage_model.transformer.text_model.final_layer_norm.bias": (8,),
        },
        "without its VAE",
    ),
    "width": (
        {
            "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
            "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 640),
            "cond_stage_model.transformer.text_model.final_layer_norm.bias": (8,),
            "first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3),
        },
        r"words of 640 features where 1\.x reads 768",
    ),
    "smaller": (
        {
            "model.diffusion_model.input_blocks.0.0.weight": (8, 4, 3, 3),
            "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (8, 768),
            "cond_stage_model.transformer.text_model.final_layer_norm.bias": (8,),
            "first_stage_model.encoder.conv_in.weight": (8, 3, 3, 3),
        },
        r"not shaped as Stable Diffusion 1\.x",
    ),
}


@pytest.mark.parametrize("what", OTHERS)
def test_other_files_are_told_apart(tmp_path: Path, what: str) -> None:
    shapes, said = OTHERS[what]
    file = tmp_path / f"{what}.safetensors"
    save_file({name: torch.zeros(shape) for name, shape in shapes.items()}, file)
    with pytest.raises(UnsupportedArchitecture, match=said) as caught:
        read_local(file)
    assert caught.value.remedy
    assert caught.value.value == file.name


def test_an_empty_file_is_broken(tmp_path: Path) -> None:
    save_file({}, tmp_path / "m.safetensors")
    with pytest.raises(ModelBroken, match="holds no tensor"):
        read_local(tmp_path / "m.safetensors")
    (tmp_path / "n.safetensors").write_bytes(b"")
    with pytest.raises(ModelBroken, match="0 bytes"):
        read_local(tmp_path / "n.safetensors")


def pickles() -> dict[str, bytes]:
    zipped, old = io.BytesIO(), io.BytesIO()
    torch.save({"w": torch.zeros(3)}, zipped)
    torch.save({"w": torch.zeros(3)}, old, _use_new_zipfile_serialization=False)
    assert zipfile.is_zipfile(zipped)
    return {"zip": zipped.getvalue(), "old": old.getvalue()}


@pytest.mark.parametrize("form", ["zip", "old"])
@pytest.mark.parametrize("name", ["m.ckpt", "m.pt", "m.pth", "m.safetensors"])
def test_a_pickle_is_refused_whatever_its_name(tmp_path: Path, name: str, form: str) -> None:
    (tmp_path / name).write_bytes(pickles()[form])
    with pytest.raises(ModelRefused, match=r"can run code when they are opened.*\.safetensors"):
        read_local(tmp_path / name)


def test_a_pickle_in_a_models_directory_is_listed_with_its_reason(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "models" / "old.ckpt").write_bytes(pickles()["zip"])
    listed = {card.id: card for card in catalog.cards(settings())}
    assert listed["old.ckpt"].reason is not None
    assert listed["old.ckpt"].reason["code"] == "model_refused"
    with pytest.raises(ImfineError, match="can run code"):
        catalog.find("old.ckpt", settings(), any_folder=False)
