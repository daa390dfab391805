"""TONE and STYLE spelt out as weight changes of an image model, so that they survive an export. Plain Python.

    TONE t   vae.decoder.conv_out: W′ = M·W, b′ = M·b, M = (1 + t)·I − t·1·(0.299, 0.587, 0.114)
             its three outputs are red, green and blue: saturation × (1 + t). −1 is grey.
    STYLE s  unet.conv_in and unet.conv_norm_out: W′ = (1 − 0.1·s)·W, b′ = (1 + 0.2·s)·b: relief and grain
             attention to the words in the second up block: o × 2^(−s/2): less of the words' one idea of the
             thing, more of the picture's own detail. −1 is smooth and flat, 1 rough and deep.

The numbers of red, green and blue are those of luma (ITU-R BT.601). STYLE's first line is ten of the
community's steps of "detail" (cd-tuner), its second in supermerger's middle up blocks (OUT03–05 of SD 1.x).
"""

from __future__ import annotations

from dataclasses import dataclass

LUMA = (0.299, 0.587, 0.114)
COLOURS = "vae.decoder.conv_out"
RELIEF = ("unet.conv_in", "unet.conv_norm_out")

Matrix = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class BiasedGain:
    """A module's weight × `weight`, its bias × `bias`."""

    weight: float
    bias: float


def tone_matrix(tone: float) -> Matrix:
    """3 × 3, along the output channels of COLOURS."""
    return tuple(
        tuple((1.0 + tone if row == column else 0.0) - tone * LUMA[column] for column in range(3))
        for row in range(3)
    )


def style_relief(style: float) -> BiasedGain:
    return BiasedGain(1.0 - 0.1 * style, 1.0 + 0.2 * style)


def style_words(style: float) -> float:
    """The gain on o2 in the layout's style block."""
    return float(2.0 ** (-style / 2))
