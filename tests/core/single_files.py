"""Small Stable Diffusions as single files: a diffusers folder's tensors under CompVis' names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from small_pictures import save

from imfine.core.models.clip_tokenizer import END, save_tokenizer
from imfine.core.models.pictures import parts_of, read_configs
from imfine.core.models.weights import INDEX, read_json, weight_files

Tensors = dict[str, torch.Tensor]


def save_pair(
    kind: str, home: Path, tokenizer: Path, dtype: torch.dtype = torch.float32
) -> tuple[Path, Path]:
    """The same small model as a diffusers folder with CLIP's tokenizer, and as a single file."""
    folder = save(kind, home / kind, vocabulary=49408)
    for part in ("", "_2"):
        if (target := folder / f"tokenizer{part}").exists():
            for file in target.iterdir():
                file.unlink()
            target.rmdir()
            pad = "!" if kind == "sd2" or part else END
            save_tokenizer(tokenizer, target, 32, pad)
    parts = {}
    for part in parts_of(read_json(folder / INDEX)):
        file = weight_files(folder / part)[0]
        parts[part] = {name: tensor.to(dtype) for name, tensor in load_file(file).items()}
        save_file(parts[part], file, metadata={"format": "pt"})
    single = home / f"{kind}.safetensors"
    save_file(compvis(kind, parts, read_configs(folder)), single)
    return folder, single


def compvis(kind: str, parts: Mapping[str, Tensors], config: Mapping[str, Any], width: int = 32) -> Tensors:
    """Every part's tensors as CompVis (XL: Stability) keeps them, and the rest of such a file. `width`: of
    2.x' text encoder."""
    made = unet(parts["unet"], config["unet"]) | vae(parts["vae"], config["vae"])
    text = parts["text_encoder"]
    if kind == "sd1":
        made |= clip(text, "cond_stage_model.transformer.")
        made["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    elif kind == "sd2":
        made |= open_clip(text, "cond_stage_model.model.")
        last = {name for name in made if ".resblocks.22." in name}
        made |= {name.replace("blocks.22.", "blocks.23."): made[name] + 1 for name in last}  # not read
        made["cond_stage_model.model.text_projection"] = torch.zeros(width, width)
        made["cond_stage_model.model.logit_scale"] = torch.tensor(100.0)
    else:
        made |= clip(text, "conditioner.embedders.0.transformer.")
        made |= open_clip(parts["text_encoder_2"], "conditioner.embedders.1.model.")
    made["alphas_cumprod"] = torch.linspace(1, 0, 1000)
    made["model_ema.diffusion_modelinput_blocks00bias"] = torch.zeros(32)
    return {name: tensor.contiguous() for name, tensor in made.items()}


def unet(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    each = config["layers_per_block"] + 1
    outer = {
        "time_embedding.linear_1.": "time_embed.0.",
        "time_embedding.linear_2.": "time_embed.2.",
        "add_embedding.linear_1.": "label_emb.0.0.",
        "add_embedding.linear_2.": "label_emb.0.2.",
        "conv_in.": "input_blocks.0.0.",
        "conv_norm_out.": "out.0.",
        "conv_out.": "out.2.",
        "mid_block.resnets.0.": "middle_block.0.",
        "mid_block.attentions.0.": "middle_block.1.",
        "mid_block.resnets.1.": "middle_block.2.",
    }
    for i, (down, up) in enumerate(zip(config["down_block_types"], config["up_block_types"], strict=True)):
        for j in range(each - 1):
            outer[f"down_blocks.{i}.resnets.{j}."] = f"input_blocks.{each * i + j + 1}.0."
            if "Cross" in down:
                outer[f"down_blocks.{i}.attentions.{j}."] = f"input_blocks.{each * i + j + 1}.1."
        for j in range(each):
            outer[f"up_blocks.{i}.resnets.{j}."] = f"output_blocks.{each * i + j}.0."
            if "Cross" in up:
                outer[f"up_blocks.{i}.attentions.{j}."] = f"output_blocks.{each * i + j}.1."
        outer[f"down_blocks.{i}.downsamplers.0.conv."] = f"input_blocks.{each * (i + 1)}.0.op."
        place = 2 if "Cross" in up else 1
        outer[f"up_blocks.{i}.upsamplers.0."] = f"output_blocks.{each * i + each - 1}.{place}."
    inner = {
        "norm1.": "in_layers.0.",
        "conv1.": "in_layers.2.",
        "time_emb_proj.": "emb_layers.1.",
        "norm2.": "out_layers.0.",
        "conv2.": "out_layers.3.",
        "conv_shortcut.": "skip_connection.",
    }
    made = {}
    for name, tensor in tensors.items():
        new = began(name, outer)
        if ".resnets." in name:
            block, of = new.rsplit(".", 1)
            block, _, last = block.rpartition(".")
            new = f"{block}.{began(f'{last}.{of}', inner)}"
        made[f"model.diffusion_model.{new}"] = tensor
    return made


def vae(tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
    last = len(config["block_out_channels"]) - 1
    attention = {
        "group_norm.": "norm.",
        "to_q.": "q.",
        "to_k.": "k.",
        "to_v.": "v.",
        "to_out.0.": "proj_out.",
    }
    outer = {"quant_conv.": "quant_conv.", "post_quant_conv.": "post_quant_conv."}
    for side in ("encoder.", "decoder."):
        outer |= {f"{side}conv_in.": f"{side}conv_in.", f"{side}conv_out.": f"{side}conv_out."}
        outer[f"{side}conv_norm_out."] = f"{side}norm_out."
        for ours, theirs in attention.items():
            outer[f"{side}mid_block.attentions.0.{ours}"] = f"{side}mid.attn_1.{theirs}"
        for j in (0, 1):
            outer[f"{side}mid_block.resnets.{j}."] = f"{side}mid.block_{j + 1}."
    for i in range(last + 1):
        outer[f"encoder.down_blocks.{i}.resnets."] = f"encoder.down.{i}.block."
        outer[f"encoder.down_blocks.{i}.downsamplers.0."] = f"encoder.down.{i}.downsample."
        outer[f"decoder.up_blocks.{i}.resnets."] = f"decoder.up.{last - i}.block."
        outer[f"decoder.up_blocks.{i}.upsamplers.0."] = f"decoder.up.{last - i}.upsample."
    made = {}
    for name, tensor in tensors.items():
        new = began(name, outer).replace("conv_shortcut", "nin_shortcut")
        pixel = "attentions" in name and tensor.ndim == 2  # kept as a convolution of one pixel
        made[f"first_stage_model.{new}"] = tensor[:, :, None, None] if pixel else tensor
    return made


def clip(tensors: Tensors, prefix: str) -> Tensors:
    return {f"{prefix}text_model.{name.removeprefix('text_model.')}": t for name, t in tensors.items()}


def open_clip(tensors: Tensors, prefix: str) -> Tensors:
    made, left = {}, {name.removeprefix("text_model."): tensor for name, tensor in tensors.items()}
    plain = {
        "embeddings.position_embedding.weight": "positional_embedding",
        "embeddings.token_embedding.weight": "token_embedding.weight",
        "final_layer_norm.weight": "ln_final.weight",
        "final_layer_norm.bias": "ln_final.bias",
    }
    for ours, theirs in plain.items():
        made[theirs] = left.pop(ours)
    if "text_projection.weight" in left:
        made["text_projection"] = left.pop("text_projection.weight").T
    inner = {
        "layer_norm1.": "ln_1.",
        "layer_norm2.": "ln_2.",
        "self_attn.out_proj.": "attn.out_proj.",
        "mlp.fc1.": "mlp.c_fc.",
        "mlp.fc2.": "mlp.c_proj.",
    }
    for name, tensor in left.items():
        _, _, i, rest = name.split(".", 3)
        block = f"transformer.resblocks.{i}."
        if rest.startswith(("self_attn.k_proj", "self_attn.v_proj")):
            continue
        if rest.startswith("self_attn.q_proj."):
            of = rest.rpartition(".")[2]
            three = [left[name.replace("q_proj", f"{x}_proj")] for x in "qkv"]
            made[f"{block}attn.in_proj_{of}"] = torch.cat([tensor, *three[1:]])
            continue
        made[block + began(rest, inner)] = tensor
    return {prefix + name: tensor for name, tensor in made.items()}


def began(name: str, starts: Mapping[str, str]) -> str:
    """The name with its known beginning replaced."""
    ours = max((each for each in starts if name.startswith(each)), key=len)
    return starts[ours] + name.removeprefix(ours)


def with_metadata(file: Path, target: Path, metadata: dict[str, str], more: Tensors) -> Path:
    save_file({**load_file(file), **more}, target, metadata=metadata or None)
    return target
