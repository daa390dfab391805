"""Small random Stable Diffusions of the three shapes as diffusers folders: no bias zero, no norm one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    DDIMScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from imfine.core.models.load import load
from imfine.core.models.load_image import LoadedImageModel

STARTER = Path(__file__).parents[2] / "starters" / "emoji-diffusion"
KINDS = ("sd1", "sd2", "sdxl")
SCHEDULER: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}
TEXT: dict[str, Any] = {
    "vocab_size": 4096,
    "hidden_size": 32,
    "intermediate_size": 37,
    "num_attention_heads": 4,
    "max_position_embeddings": 32,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
    "projection_dim": 32,
    "hidden_act": "quick_gelu",
    "num_hidden_layers": 3,
}
UNET: dict[str, Any] = {"sample_size": 8, "block_out_channels": (32, 64), "norm_num_groups": 8}


def unet_of(kind: str, **changes: Any) -> UNet2DConditionModel:
    xl = kind == "sdxl"
    shape = {
        **UNET,
        "layers_per_block": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D")
        if xl
        else ("CrossAttnDownBlock2D", "DownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D") if xl else ("UpBlock2D", "CrossAttnUpBlock2D"),
        "cross_attention_dim": 64 if xl else 32,
        "attention_head_dim": 4 if kind == "sd1" else (2, 4),
        "use_linear_projection": kind != "sd1",
    }
    if xl:
        shape |= {
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "transformer_layers_per_block": (1, 2),
            "projection_class_embeddings_input_dim": 32 + 6 * 8,
        }
    return UNet2DConditionModel(**{**shape, **changes})


def save(kind: str, folder: Path, seed: int = 0, vocabulary: int = 4096) -> Path:
    """A random model of the kind as diffusers saves its pipeline."""
    torch.manual_seed(seed)
    tokenizer = CLIPTokenizer.from_pretrained(str(STARTER / "tokenizer"), local_files_only=True)
    text = {**TEXT, "vocab_size": vocabulary}
    if kind == "sd2":
        text |= {"hidden_act": "gelu", "num_hidden_layers": 23}
    parts: dict[str, Any] = {
        "unet": unet_of(kind),
        "vae": AutoencoderKL(
            block_out_channels=(16, 32),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=8,
            sample_size=16,
        ),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**text)),
    }
    if kind == "sdxl":
        parts["text_encoder_2"] = CLIPTextModelWithProjection(
            CLIPTextConfig(**{**text, "hidden_act": "gelu"})
        )
    with torch.no_grad():
        for part in parts.values():
            for name, parameter in part.named_parameters():
                if name.endswith("bias"):
                    parameter.add_(torch.randn_like(parameter), alpha=0.05)
                elif parameter.dim() == 1:
                    parameter.add_(torch.randn_like(parameter), alpha=0.1)
    schedulers = {
        "sd1": PNDMScheduler(**SCHEDULER, skip_prk_steps=True),
        "sd2": DDIMScheduler(**SCHEDULER, clip_sample=False, prediction_type="v_prediction"),
        "sdxl": EulerDiscreteScheduler(**SCHEDULER),
    }
    if kind == "sdxl":
        pipeline: Any = StableDiffusionXLPipeline(
            **parts, tokenizer=tokenizer, tokenizer_2=tokenizer, scheduler=schedulers[kind]
        )
    else:
        pipeline = StableDiffusionPipeline(
            **parts,
            tokenizer=tokenizer,
            scheduler=schedulers[kind],
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )
    pipeline.save_pretrained(folder, safe_serialization=True)
    return folder


def loaded(ref: str | Path, dtype: str = "float32") -> LoadedImageModel:
    model = list(load(str(ref), dtype=dtype))[-1]
    assert isinstance(model, LoadedImageModel)
    return model
