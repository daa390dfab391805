"""Rows of the table for Stable Diffusion, and how a model's configs become a layout by them. Plain Python.

Names are diffusers', after the name of the part: `unet.down_blocks.1.attentions.0.…`. Bands are the UNet's
blocks in the community's names, and the text encoder(s):

    IN00 conv_in │ IN01 … each layer and each downsampler of the down blocks
    M00 the middle │ OUT00 … each layer of the up blocks (its last one with the upsampler) │ TE

The VAE is in no band; TONE reaches its last convolution.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from imfine.core.families.layout import (
    KNOBS,
    SIDED,
    SIGNED,
    Band,
    Layout,
    Segment,
    Weight,
    broken,
    checked_norm_eps,
    positive,
    whole_number,
)
from imfine.errors import UnsupportedArchitecture

ENCODERS = ("text_encoder", "text_encoder_2")
TRANSFORMER_EPS = 1e-6  # of the GroupNorm before a transformer; fixed in diffusers' code
BLOCK_EPS = 1e-5  # of the LayerNorms within
PIXELS = 8  # diffusers' pipelines take sides that are multiples of it
MAX_BLOCKS, MAX_LAYERS, MAX_DEPTH, MAX_TEXT_LAYERS = 8, 16, 64, 256  # a config that claims more is malformed


@dataclass(frozen=True)
class ImageFamily:
    """A row of the table."""

    architecture: str  # diffusers' pipeline
    model_type: str
    encoders: int
    family = "stable-diffusion"


@dataclass(frozen=True, eq=False, kw_only=True)
class ImageLayout(Layout):
    """An image model: its bands are its UNet's blocks and its text encoders."""

    row: ImageFamily
    own_eps: Mapping[str, float] = field(repr=False)  # of each norm
    sample_size: int  # pixels a side
    factor: int  # pixels a latent is wide
    latent_channels: int
    window: int  # tokens of a prompt that are read
    prediction: str
    unet_width: int  # feature maps of the first block
    vae_width: int
    style_block: str  # the up block whose attention to the words STYLE turns

    kind = "image"
    unit = "blocks"

    def eps_of(self, norm: str) -> float:
        return self.norm_eps.get(norm, self.own_eps[norm])

    @property
    def multiple_of(self) -> int:
        """Pixels: a picture's sides are multiples of it."""
        return math.lcm(PIXELS, self.factor)

    def to_json(self) -> dict[str, Any]:
        return {
            **super().to_json(),
            "image": {
                "sample_size": self.sample_size,
                "multiple_of": self.multiple_of,
                "latent_channels": self.latent_channels,
                "encoders": self.row.encoders,
                "window": self.window,
                "prediction": self.prediction,
            },
        }


def image_layout(
    row: ImageFamily, config: Mapping[str, Any], norm_eps: Mapping[str, float] | None = None
) -> ImageLayout:
    """From the configs of a model's parts: {"unet": …, "vae": …, "text_encoder": …, "scheduler": …}.

    Raises:
        ModelBroken: a part or a size is missing or malformed.
        UnsupportedArchitecture: a UNet of another make, e.g. for inpainting.
    """
    encoders = ENCODERS[: row.encoders]
    unet, vae, scheduler, *texts = (_part(config, part) for part in ("unet", "vae", "scheduler", *encoders))
    building = _Building(_Unet.read(unet))
    bands = [*building.bands(), building.text_band(dict(zip(encoders, texts, strict=True)))]
    latents = _sizes(vae, "vae", "block_out_channels")
    latent_channels = whole_number("vae.latent_channels", vae.get("latent_channels", 4))
    if (given := unet.get("in_channels", latent_channels)) != latent_channels:
        raise _unsupported(f"a UNet with {given} input channels (for inpainting, say)", given)
    factor = 2 ** (len(latents) - 1)
    prediction = scheduler.get("prediction_type", "epsilon")
    return ImageLayout(
        row=row,
        bands=tuple(bands),
        segments=building.segments,
        entrances=(
            "unet.conv_in",
            "vae.decoder.conv_in",
            *(f"{part}.text_model.encoder.layers.0" for part in encoders),
        ),
        knobs=(*KNOBS, *SIGNED),
        points=("q", "k", "v", "o", *SIDED, "gate", "up", "down", "norm"),
        classic={"attn": ("q", "k", "v"), "mlp": ("gate", "up")},
        eps=max(building.own_eps.values()),
        norm_eps=checked_norm_eps(norm_eps, set(building.own_eps)),
        own_eps=building.own_eps,
        sample_size=factor * whole_number("unet.sample_size", unet.get("sample_size"), most=4096),
        factor=factor,
        latent_channels=latent_channels,
        window=min(
            whole_number(f"{part}.max_position_embeddings", text.get("max_position_embeddings", 77))
            for part, text in zip(encoders, texts, strict=True)
        ),
        prediction=prediction if prediction in ("epsilon", "v_prediction") else "epsilon",
        unet_width=building.unet.channels[0],
        vae_width=latents[0],
        style_block="unet.up_blocks.1",
    )


@dataclass(frozen=True)
class _Unet:
    """What of a UNet's config says which modules there are."""

    channels: tuple[int, ...]
    layers: tuple[int, ...]  # resnets of each down block
    attends: tuple[bool, ...]
    up_attends: tuple[bool, ...]
    depth: tuple[int, ...]  # transformer blocks of each of their attentions
    eps: float

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> _Unet:
        channels = _sizes(config, "unet", "block_out_channels")
        down = _types(config, "down_block_types", len(channels), "CrossAttnDownBlock2D", "DownBlock2D")
        up = _types(config, "up_block_types", len(channels), "CrossAttnUpBlock2D", "UpBlock2D")
        if config.get("mid_block_type", "UNetMidBlock2DCrossAttn") != "UNetMidBlock2DCrossAttn":
            raise _unsupported(f"a UNet with {config['mid_block_type']}", config["mid_block_type"])
        if config.get("reverse_transformer_layers_per_block") is not None:
            raise _unsupported("a UNet whose up blocks have depths of their own", None)
        layers = _spread(config.get("layers_per_block", 2), len(channels), "layers_per_block", MAX_LAYERS)
        depth = _spread(
            config.get("transformer_layers_per_block", 1),
            len(channels),
            "transformer_layers_per_block",
            MAX_DEPTH,
        )
        return cls(
            channels=channels,
            layers=layers,
            attends=tuple("Cross" in each for each in down),
            up_attends=tuple("Cross" in each for each in up),
            depth=depth,
            eps=positive("unet.norm_eps", config.get("norm_eps", BLOCK_EPS)),
        )


class _Building:
    """Walks a UNet in the order of its forward, and gathers what each band holds."""

    def __init__(self, unet: _Unet) -> None:
        self.unet = unet
        self.segments: dict[Weight, tuple[Segment, ...]] = {}
        self.own_eps: dict[str, float] = {}

    def bands(self) -> Iterator[Band]:
        unet, last = self.unet, len(self.unet.channels) - 1
        into, out = (f"IN{i:02}" for i in range(1000)), (f"OUT{i:02}" for i in range(1000))
        yield Band(next(into), (), ())
        for i, channels in enumerate(unet.channels):
            for j in range(unet.layers[i]):
                depth = unet.depth[i] if unet.attends[i] else 0
                yield self._band(next(into), f"unet.down_blocks.{i}", (j,), channels, depth)
            if i != last:
                yield Band(next(into), (), ())
        yield self._band("M00", "unet.mid_block", (0, 1), unet.channels[-1], unet.depth[-1])
        for i in range(last + 1):
            mirror = last - i
            for j in range(unet.layers[mirror] + 1):
                depth = unet.depth[mirror] if unet.up_attends[i] else 0
                yield self._band(next(out), f"unet.up_blocks.{i}", (j,), unet.channels[mirror], depth)

    def text_band(self, encoders: Mapping[str, Mapping[str, Any]]) -> Band:
        matrices: list[tuple[str, Weight]] = []
        norms: list[str] = []
        for part, config in encoders.items():
            hidden, between, layers = (
                whole_number(f"{part}.{key}", config.get(key), most)
                for key, most in (
                    ("hidden_size", 2**31),
                    ("intermediate_size", 2**31),
                    ("num_hidden_layers", MAX_TEXT_LAYERS),
                )
            )
            eps = positive(f"{part}.layer_norm_eps", config.get("layer_norm_eps", BLOCK_EPS))
            for layer in range(layers):
                stack = f"{part}.text_model.encoder.layers.{layer}"
                for point, name in (("q", "q_proj"), ("k", "k_proj"), ("v", "v_proj"), ("o", "out_proj")):
                    matrices.append(self._matrix(f"{stack}.self_attn.{name}", {f"{point}1": hidden}))
                matrices.append(self._matrix(f"{stack}.mlp.fc1", {"up": between}))
                matrices.append(self._matrix(f"{stack}.mlp.fc2", {"down": hidden}))
                norms += self._norms(eps, f"{stack}.layer_norm1", f"{stack}.layer_norm2")
        return Band("TE", tuple(matrices), tuple(norms))

    def _band(self, name: str, block: str, resnets: Sequence[int], channels: int, depth: int) -> Band:
        matrices: list[tuple[str, Weight]] = []
        norms: list[str] = []
        for j in resnets:
            norms += self._norms(self.unet.eps, f"{block}.resnets.{j}.norm1", f"{block}.resnets.{j}.norm2")
        if depth:  # one attention, beside the first resnet
            attention = f"{block}.attentions.{resnets[0]}"
            norms += self._norms(TRANSFORMER_EPS, f"{attention}.norm")
            for k in range(depth):
                inner = f"{attention}.transformer_blocks.{k}"
                norms += self._norms(BLOCK_EPS, *(f"{inner}.norm{n}" for n in (1, 2, 3)))
                for side in ("1", "2"):
                    for point, module in (("q", "to_q"), ("k", "to_k"), ("v", "to_v"), ("o", "to_out.0")):
                        matrices.append(
                            self._matrix(f"{inner}.attn{side}.{module}", {point + side: channels})
                        )
                matrices.append(  # GEGLU: the first half is let through by the second
                    self._matrix(f"{inner}.ff.net.0.proj", {"up": 4 * channels, "gate": 4 * channels})
                )
                matrices.append(self._matrix(f"{inner}.ff.net.2", {"down": channels}))
        return Band(name, tuple(matrices), tuple(norms))

    def _matrix(self, module: str, sizes: Mapping[str, int]) -> tuple[str, Weight]:
        weight = Weight(module, tuple(sizes))
        self.segments[weight] = tuple(Segment(point, None, size) for point, size in sizes.items())
        return module, weight

    def _norms(self, eps: float, *names: str) -> tuple[str, ...]:
        self.own_eps.update(dict.fromkeys(names, eps))
        return names


def _part(config: Mapping[str, Any], part: str) -> Mapping[str, Any]:
    found = config.get(part)
    if not isinstance(found, Mapping):
        raise broken(part, found, f"the config of its {part}", file="the model")
    return found


def _sizes(config: Mapping[str, Any], part: str, key: str) -> tuple[int, ...]:
    given = config.get(key)
    if not isinstance(given, Sequence) or isinstance(given, str) or not 1 < len(given) <= MAX_BLOCKS:
        raise broken(f"{part}.{key}", given, f"a list of 2 to {MAX_BLOCKS} sizes")
    return tuple(whole_number(f"{part}.{key}", each) for each in given)


def _types(config: Mapping[str, Any], key: str, blocks: int, *known: str) -> tuple[str, ...]:
    given = config.get(key)
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != blocks:
        raise broken(f"unet.{key}", given, f"a list of {blocks} types")
    for each in given:
        if each not in known:
            raise _unsupported(f"a UNet with {str(each)[:60]}", each)
    return tuple(given)


def _spread(given: Any, blocks: int, key: str, most: int) -> tuple[int, ...]:
    each = given if isinstance(given, Sequence) and not isinstance(given, str) else [given] * blocks
    if len(each) != blocks:
        raise broken(f"unet.{key}", given, f"one number, or {blocks} of them")
    return tuple(whole_number(f"unet.{key}", value, most) for value in each)


def _unsupported(what: str, value: Any) -> UnsupportedArchitecture:
    return UnsupportedArchitecture(
        f"{what} is not supported",
        remedy="choose a Stable Diffusion 1.x, 2.x or XL that draws from text alone",
        field="model",
        value=str(value)[:100],
    )


IMAGE: tuple[ImageFamily, ...] = (
    ImageFamily(
        architecture="StableDiffusionPipeline", model_type="stable-diffusion", encoders=1
    ),  # 1.x, 2.x
    ImageFamily(architecture="StableDiffusionXLPipeline", model_type="stable-diffusion-xl", encoders=2),
)
