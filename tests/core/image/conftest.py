"""Small random models of the three shapes, and the starter, as the painter wants them. In place of the
equalizer a stand-in: ATTN scales what the UNet's first convolution says, MLP what the text encoders say."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from imfine.core.image.kept import Kept
from imfine.core.image.model import parts
from imfine.core.models.fingerprint import fingerprint
from imfine.core.models.load_image import LoadedImageModel, load_folder
from imfine.core.recipe import Recipe

STARTER = Path(__file__).parents[3] / "starters" / "emoji-diffusion"
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "clip_sample": False,
}
Plan = SimpleNamespace
_plan: ContextVar[Plan | None] = ContextVar("plan", default=None)


class Equalizer:
    def __init__(self, unet: Any, encoders: Sequence[Any]) -> None:
        self.first = unet.conv_in
        self.ends = [getattr(each, "text_model", each).encoder.layers[0] for each in encoders]
        for module in (self.first, *self.ends):
            module.register_forward_hook(_scale)

    def plan(self, recipes: Sequence[Recipe]) -> Plan:
        outputs = {}
        for modules, knob in (([self.first], "attn"), (self.ends, "mlp")):
            gains = [getattr(recipe, knob) for recipe in recipes]
            if any(gain != 1 for gain in gains):
                outputs |= {module: torch.tensor(gains) for module in modules}
        return Plan(outputs=outputs, rows=len(recipes))

    @contextmanager
    def applied(self, plan: Plan) -> Iterator[None]:
        token = _plan.set(plan)
        try:
            yield
        finally:
            _plan.reset(token)


def _scale(module: Any, args: Any, y: Any) -> Any:
    plan = _plan.get()
    gain = None if plan is None else plan.outputs.get(module)
    if gain is None:
        return None
    first = y[0] if isinstance(y, tuple) else y
    assert first.shape[0] == plan.rows
    scaled = first * gain.view(-1, *[1] * (first.ndim - 1))
    return (scaled, *y[1:]) if isinstance(y, tuple) else scaled


class Layout(SimpleNamespace):
    def to_json(self) -> dict[str, Any]:
        return {"image": self.image}


def dressed(unet: Any, vae: Any, encoders: tuple[Any, ...], tokenizers: Any, scheduler: Any) -> Any:
    """The modules as a loaded model."""
    row = SimpleNamespace(model_type="stable-diffusion", classic={}, point_norms={}, norms=(), weights=())
    size = unet.config.sample_size * 2 ** (len(vae.config.block_out_channels) - 1)
    model = SimpleNamespace(
        id="small",
        revision="r1",
        dtype=torch.float32,
        device="cpu",
        layout=Layout(
            row=row, layers=0, points=(), eps_knob_max=9.0, image={"sample_size": size, "multiple_of": 8}
        ),
        card=SimpleNamespace(id="small", languages=None),
        checksum="c",
        unet=unet.eval(),
        vae=vae.eval(),
        text_encoders=tuple(each.eval() for each in encoders),
        tokenizers=tokenizers,
        scheduler_config=scheduler,
        equalizer=Equalizer(unet, encoders),
        kept=Kept(),
    )
    model.fingerprints = {name: fingerprint(module) for name, module in parts(model).items()}
    return model


def small(kind: str, seed: int = 0) -> Any:
    torch.manual_seed(seed)
    tokenizer = CLIPTokenizer.from_pretrained(str(STARTER / "tokenizer"), local_files_only=True)
    xl = kind == "sdxl"
    text: dict[str, Any] = {
        "vocab_size": 4096,
        "hidden_size": 32,
        "intermediate_size": 37,
        "num_attention_heads": 4,
        "max_position_embeddings": 32,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
        "projection_dim": 32,
        "hidden_act": "gelu" if kind == "sd2" else "quick_gelu",
        "num_hidden_layers": 23 if kind == "sd2" else 3,
    }
    encoders: tuple[Any, ...] = (CLIPTextModel(CLIPTextConfig(**text)),)
    if xl:
        second = CLIPTextConfig(**{**text, "hidden_act": "gelu"})
        encoders += (CLIPTextModelWithProjection(second),)
    shape: dict[str, Any] = {
        "sample_size": 8,
        "block_out_channels": (32, 64),
        "layers_per_block": 2,
        "norm_num_groups": 8,
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
    unet = UNet2DConditionModel(**shape)
    vae = AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=16,
    )
    scheduler = {
        **SCHEDULER,
        "prediction_type": "v_prediction" if kind == "sd2" else "epsilon",
        **({"_class_name": "DDIMScheduler"} if kind == "sd2" else {}),
        **({"_class_name": "EulerDiscreteScheduler"} if xl else {}),
    }
    return dressed(unet, vae, encoders, (tokenizer,) * len(encoders), scheduler)


@pytest.fixture(scope="session")
def made() -> Callable[[str], Any]:
    """A model of a kind: "sd1", "sd2", "sdxl" or "starter"; each made once, with nothing kept."""
    models: dict[str, Any] = {}
    lock = threading.Lock()

    def make(kind: str) -> Any:
        with lock:
            if kind not in models:
                models[kind] = starter() if kind == "starter" else small(kind)
        models[kind].kept = Kept()
        return models[kind]

    return make


def starter() -> Any:
    loaded = list(load_folder(STARTER))[-1]
    assert isinstance(loaded, LoadedImageModel)
    model = dressed(
        loaded.unet, loaded.vae, loaded.text_encoders, loaded.tokenizers, dict(loaded.scheduler_config)
    )
    model.layout.image |= {"guidance": 3.0, "multiple_of": 16}
    return model
