"""The configs of Stable Diffusion 1.5, 2.1 (768 v, 512 base) and XL, part by part. Plain Python, no weights.

As `families.layout` reads them, JSON-able, and complete enough for diffusers and transformers to build each
part. Single-file checkpoints carry none; cards of models that are not here yet need the same. Values that are
the libraries' defaults are left out, but for those that our layout reads. Do not change one in place.
"""

from __future__ import annotations

from typing import Any

_NOISE: dict[str, Any] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "steps_offset": 1,
}
_PNDM: dict[str, Any] = {
    "_class_name": "PNDMScheduler",
    **_NOISE,
    "clip_sample": False,
    "prediction_type": "epsilon",
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
}
_UNET: dict[str, Any] = {
    "_class_name": "UNet2DConditionModel",
    "in_channels": 4,
    "out_channels": 4,
    "layers_per_block": 2,
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "norm_num_groups": 32,
    "norm_eps": 1e-05,
    "transformer_layers_per_block": 1,
    "block_out_channels": [320, 640, 1280, 1280],
    "down_block_types": [
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "CrossAttnDownBlock2D",
        "DownBlock2D",
    ],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"],
}
_VAE: dict[str, Any] = {
    "_class_name": "AutoencoderKL",
    "in_channels": 3,
    "out_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "scaling_factor": 0.18215,
    "sample_size": 512,
}
_CLIP_L: dict[str, Any] = {  # OpenAI's CLIP ViT-L/14
    "architectures": ["CLIPTextModel"],
    "model_type": "clip_text_model",
    "vocab_size": 49408,
    "max_position_embeddings": 77,
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_attention_heads": 12,
    "num_hidden_layers": 12,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-05,
    "projection_dim": 768,
    "bos_token_id": 0,
    "eos_token_id": 2,  # by which transformers knows to pool at the highest id, 49407
    "pad_token_id": 1,
}
_CLIP_H: dict[str, Any] = {  # OpenCLIP ViT-H/14 without its last layer
    **_CLIP_L,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_attention_heads": 16,
    "num_hidden_layers": 23,
    "hidden_act": "gelu",
    "projection_dim": 512,
}
_CLIP_BIG_G: dict[str, Any] = {  # OpenCLIP ViT-bigG/14
    **_CLIP_L,
    "architectures": ["CLIPTextModelWithProjection"],
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "hidden_act": "gelu",
    "projection_dim": 1280,
}

SD15: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "unet": {**_UNET, "sample_size": 64, "attention_head_dim": 8, "cross_attention_dim": 768},
    "vae": _VAE,
    "text_encoder": _CLIP_L,
    "scheduler": _PNDM,
}
SD21_BASE: dict[str, Any] = {
    "_class_name": "StableDiffusionPipeline",
    "unet": {
        **_UNET,
        "sample_size": 64,
        "attention_head_dim": [5, 10, 20, 20],
        "cross_attention_dim": 1024,
        "use_linear_projection": True,
    },
    "vae": _VAE,
    "text_encoder": _CLIP_H,
    "scheduler": _PNDM,
}
SD21: dict[str, Any] = {
    **SD21_BASE,
    "unet": {**SD21_BASE["unet"], "sample_size": 96, "upcast_attention": True},
    "vae": {**_VAE, "sample_size": 768},
    "scheduler": {
        "_class_name": "DDIMScheduler",
        **_NOISE,
        "clip_sample": False,
        "prediction_type": "v_prediction",
        "set_alpha_to_one": False,
    },
}
SDXL: dict[str, Any] = {
    "_class_name": "StableDiffusionXLPipeline",
    "unet": {
        **_UNET,
        "sample_size": 128,
        "block_out_channels": [320, 640, 1280],
        "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
        "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
        "transformer_layers_per_block": [1, 2, 10],
        "attention_head_dim": [5, 10, 20],
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "vae": {**_VAE, "scaling_factor": 0.13025, "sample_size": 1024, "force_upcast": True},
    "text_encoder": _CLIP_L,
    "text_encoder_2": _CLIP_BIG_G,
    "scheduler": {
        "_class_name": "EulerDiscreteScheduler",
        **_NOISE,
        "interpolation_type": "linear",
        "prediction_type": "epsilon",
        "timestep_spacing": "leading",
        "use_karras_sigmas": False,
    },
}
