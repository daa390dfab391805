"""CompVis' names of Stable Diffusion's tensors, as single files carry them → diffusers' and transformers'.

Plain Python: names, shapes and where the bytes lie; no values. Does not ask whether a model has them all.

    model.diffusion_model.input_blocks.4.1.…        unet.down_blocks.1.attentions.0.…
    first_stage_model.decoder.up.3.block.0.…        vae.decoder.up_blocks.0.resnets.0.…
    cond_stage_model.transformer.…                  text_encoder.…        1.x: CLIP as transformers names it
    cond_stage_model.model.…                        text_encoder.…        2.x: OpenCLIP, q|k|v in one matrix
    conditioner.embedders.{0.transformer,1.model}.… text_encoder{,_2}.…   XL: one of each

diffusers' own converters (diffusers.loaders.single_file_utils) are the measure, and tests hold the names and
values to theirs; they need torch and the tensors, which a card may not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from imfine.core.models.weights import TensorInfo, broken
from imfine.errors import UnsupportedArchitecture

UNET, VAE = "model.diffusion_model.", "first_stage_model."
CLIP, OPEN_CLIP = "cond_stage_model.transformer.", "cond_stage_model.model."
XL_CLIP, XL_OPEN_CLIP = "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
TURNED = "text_projection.weight"  # stored as (in, out), wanted as (out, in)
RESNET: dict[tuple[Any, ...], str] = {
    ("in_layers", 0): "norm1",
    ("in_layers", 2): "conv1",
    ("emb_layers", 1): "time_emb_proj",
    ("out_layers", 0): "norm2",
    ("out_layers", 3): "conv2",
    ("skip_connection",): "conv_shortcut",
}
OUTER: dict[tuple[Any, ...], str] = {  # of the UNet
    ("time_embed", 0): "time_embedding.linear_1",
    ("time_embed", 2): "time_embedding.linear_2",
    ("label_emb", 0, 0): "add_embedding.linear_1",
    ("label_emb", 0, 2): "add_embedding.linear_2",
    ("input_blocks", 0, 0): "conv_in",
    ("out", 0): "conv_norm_out",
    ("out", 2): "conv_out",
}
VAE_ATTENTION = {
    "norm": "group_norm",
    "q": "to_q",
    "k": "to_k",
    "v": "to_v",
    "proj_out": "to_out.0",
}
OPEN_CLIP_LAYER: dict[tuple[Any, ...], str] = {
    ("ln_1",): "layer_norm1",
    ("ln_2",): "layer_norm2",
    ("attn", "out_proj"): "self_attn.out_proj",
    ("mlp", "c_fc"): "mlp.fc1",
    ("mlp", "c_proj"): "mlp.fc2",
}
Names = tuple[str, ...]  # of what a tensor becomes: one, three (q|k|v), none where it is no parameter
Rename = Callable[[list[Any], Mapping[str, Any]], Names | None]  # None: not known


def renamed(tensors: Mapping[str, TensorInfo], config: Mapping[str, Any]) -> dict[str, TensorInfo]:
    """The model's tensors under the names and shapes they will have, each where it lies in the file.

    What is no part of the model (averaged weights, noise schedules) is left out. `…text_projection.weight`
    lies there turned round. Raises: UnsupportedArchitecture (tensors no part knows), ModelBroken.
    """
    found: dict[str, TensorInfo] = {}
    unknown = []
    for prefix, part, rename in _parts(config):
        for name, tensor in tensors.items():
            if not name.startswith(prefix):
                continue
            names = rename(_words(name.removeprefix(prefix)), config[part])
            if names is None:
                unknown.append(name)
                continue
            for new, piece in zip(names, _cut(tensor, len(names)), strict=True):
                if f"{part}.{new}" in found:
                    raise broken(tensor.file, f"{name} is there twice, as {part}.{new}")
                found[f"{part}.{new}"] = _shaped(piece, part, new)
    if unknown:
        raise UnsupportedArchitecture(
            f"{tensors[unknown[0]].file.name} has tensors that a {config['_class_name']} does not know, "
            f"e.g. {unknown[0]}",
            remedy="choose a plain Stable Diffusion 1.x, 2.x or XL checkpoint",
            field="model",
            value=unknown[0],
        )
    return found


def _parts(config: Mapping[str, Any]) -> Iterator[tuple[str, str, Rename]]:
    yield UNET, "unet", _unet
    yield VAE, "vae", _vae
    if "text_encoder_2" in config:
        yield XL_CLIP, "text_encoder", _clip
        yield XL_OPEN_CLIP, "text_encoder_2", _open_clip
    else:
        yield CLIP, "text_encoder", _clip
        yield OPEN_CLIP, "text_encoder", _open_clip


def _words(name: str) -> list[Any]:
    short = re.compile(r"[0-9]{1,4}")
    return [int(word) if short.fullmatch(word) else word for word in name.split(".")]


def _unet(words: list[Any], config: Mapping[str, Any]) -> Names | None:
    each = config["layers_per_block"] + 1  # a block's layers, and what makes it smaller or larger
    *module, of = words
    new = OUTER.get(tuple(module))
    if new is None:
        match module:
            case ["middle_block", 0 | 2 as i, *rest]:
                new = _resnet(f"mid_block.resnets.{i // 2}", rest)
            case ["middle_block", 1, *rest]:
                new = _joined("mid_block.attentions.0", *rest)
            case ["input_blocks", int(i), 0, "op"]:
                new = f"down_blocks.{(i - 1) // each}.downsamplers.0.conv"
            case ["input_blocks", int(i), 0, *rest]:
                new = _resnet(f"down_blocks.{(i - 1) // each}.resnets.{(i - 1) % each}", rest)
            case ["input_blocks", int(i), 1, *rest]:
                new = _joined(f"down_blocks.{(i - 1) // each}.attentions.{(i - 1) % each}", *rest)
            case ["output_blocks", int(i), 1 | 2, "conv"]:
                new = f"up_blocks.{i // each}.upsamplers.0.conv"
            case ["output_blocks", int(i), 0, *rest]:
                new = _resnet(f"up_blocks.{i // each}.resnets.{i % each}", rest)
            case ["output_blocks", int(i), 1, *rest]:
                new = _joined(f"up_blocks.{i // each}.attentions.{i % each}", *rest)
    return None if new is None else (f"{new}.{of}",)


def compvis_name(module: str, each: int) -> str | None:
    """The other way round, of a module of the UNet; `each`: a block's layers, and one. None: not known."""
    match module.split("."):
        case ["down_blocks", i, "attentions" | "resnets" as kind, j, *rest]:
            block = f"input_blocks.{1 + int(i) * each + int(j)}"
        case ["up_blocks", i, "attentions" | "resnets" as kind, j, *rest]:
            block = f"output_blocks.{int(i) * each + int(j)}"
        case ["mid_block", "attentions", _, *rest]:
            return _joined("middle_block", 1, *rest)
        case ["mid_block", "resnets", j, *rest]:
            inner = _resnet_name(rest)
            return None if inner is None else _joined("middle_block", 2 * int(j), *inner)
        case _:
            outer = {new: old for old, new in OUTER.items()}.get(module)
            return None if outer is None else _joined(*outer)
    if kind == "attentions":
        return _joined(block, 1, *rest)
    inner = _resnet_name(rest)
    return None if inner is None else _joined(block, 0, *inner)


def _resnet_name(rest: list[str]) -> tuple[Any, ...] | None:
    return {new: old for old, new in RESNET.items()}.get(".".join(rest))


def _resnet(block: str, rest: list[Any]) -> str | None:
    new = RESNET.get(tuple(rest))
    return None if new is None else f"{block}.{new}"


def _vae(words: list[Any], config: Mapping[str, Any]) -> Names | None:
    last = len(config["block_out_channels"]) - 1  # the file counts the decoder's blocks from the picture on
    if words[0] in ("loss", "model_ema"):  # of its training
        return ()
    *module, of = words
    new = None
    match module:
        case ["quant_conv" | "post_quant_conv"] | ["encoder" | "decoder", "conv_in" | "conv_out"]:
            new = _joined(*module)
        case ["encoder" | "decoder" as side, "norm_out"]:
            new = f"{side}.conv_norm_out"
        case ["encoder" | "decoder" as side, "mid", "attn_1", word] if word in VAE_ATTENTION:
            new = f"{side}.mid_block.attentions.0.{VAE_ATTENTION[word]}"
        case ["encoder" | "decoder" as side, "mid", "block_1" | "block_2" as block, *rest]:
            new = _vae_resnet(f"{side}.mid_block.resnets.{int(block[-1]) - 1}", rest)
        case ["encoder", "down", int(i), "block", int(j), *rest]:
            new = _vae_resnet(f"encoder.down_blocks.{i}.resnets.{j}", rest)
        case ["encoder", "down", int(i), "downsample", "conv"]:
            new = f"encoder.down_blocks.{i}.downsamplers.0.conv"
        case ["decoder", "up", int(i), "block", int(j), *rest]:
            new = _vae_resnet(f"decoder.up_blocks.{last - i}.resnets.{j}", rest)
        case ["decoder", "up", int(i), "upsample", "conv"]:
            new = f"decoder.up_blocks.{last - i}.upsamplers.0.conv"
    return None if new is None else (f"{new}.{of}",)


def _vae_resnet(block: str, rest: list[Any]) -> str:
    return _joined(block, *("conv_shortcut" if word == "nin_shortcut" else word for word in rest))


def _clip(words: list[Any], config: Mapping[str, Any]) -> Names | None:
    if words[-1] == "position_ids" or words[0] in ("logit_scale", "text_projection"):
        return ()
    return (_joined(*words) if words[0] == "text_model" else _joined("text_model", *words),)


def _open_clip(words: list[Any], config: Mapping[str, Any]) -> Names | None:
    found: Names | None = None
    match words:
        case ["logit_scale" | "attn_mask"]:
            found = ()
        case ["text_projection"]:
            found = (TURNED,) if "CLIPTextModelWithProjection" in config["architectures"] else ()
        case ["positional_embedding"]:
            found = ("text_model.embeddings.position_embedding.weight",)
        case ["token_embedding", of]:
            found = (f"text_model.embeddings.token_embedding.{of}",)
        case ["ln_final", of]:
            found = (f"text_model.final_layer_norm.{of}",)
        case ["transformer", "resblocks", int(i), *_] if i >= config["num_hidden_layers"]:
            found = ()  # 2.x reads the words before the last layer
        case ["transformer", "resblocks", int(i), "attn", "in_proj_weight" | "in_proj_bias" as stored]:
            layer, of = f"text_model.encoder.layers.{i}.self_attn", stored.removeprefix("in_proj_")
            found = (f"{layer}.q_proj.{of}", f"{layer}.k_proj.{of}", f"{layer}.v_proj.{of}")
        case ["transformer", "resblocks", int(i), *module, of] if tuple(module) in OPEN_CLIP_LAYER:
            found = (f"text_model.encoder.layers.{i}.{OPEN_CLIP_LAYER[tuple(module)]}.{of}",)
    return found


def _joined(*words: Any) -> str:
    return ".".join(map(str, words))


def _cut(tensor: TensorInfo, count: int) -> list[TensorInfo]:
    """The tensor in `count` equal pieces along its first axis."""
    if count < 2:
        return [tensor] * count
    if not tensor.shape or tensor.shape[0] % count:
        raise broken(tensor.file, f"{tensor.name} of shape {list(tensor.shape)} does not hold {count} parts")
    size = tensor.nbytes // count
    shape = (tensor.shape[0] // count, *tensor.shape[1:])
    return [replace(tensor, shape=shape, nbytes=size, start=tensor.start + i * size) for i in range(count)]


def _shaped(tensor: TensorInfo, part: str, name: str) -> TensorInfo:
    """With its new name, and the shape it has there: the VAE's attention was a convolution of one pixel."""
    shape = tensor.shape
    if name == TURNED:
        shape = shape[::-1]
    elif part == "vae" and "attentions" in name and all(n == 1 for n in shape[2:]):
        shape = shape[:2]
    return replace(tensor, name=f"{part}.{name}", shape=shape)
