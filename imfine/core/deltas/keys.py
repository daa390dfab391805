"""Names of tensors in adapters' files: which module of the model each belongs to, and as what. Plain Python.

    base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight          PEFT
    unet.mid_block.attentions.0.…attn1.to_q.lora_A.weight (or .lora.down)   diffusers, older ones too
    lora_unet_mid_block_attentions_0_…_attn1_to_q.lora_down.weight          kohya; XL by CompVis' names

Knows names and shapes; reads no file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from imfine.core.families import Layout, stored
from imfine.core.models.compvis import compvis_name
from imfine.core.models.weights import BUFFERS
from imfine.errors import AdapterError

LORA = re.compile(r"(?P<module>.+?)[._]lora(?:_linear_layer)?[._](?P<side>down|up|A|B)\.(?P<of>weight|bias)")
OTHER = re.compile(r"(?P<module>.+?)\.(?P<role>alpha|dora_scale|lora_magnitude_vector|bias)(?:\.weight)?")
LONGEST = 500  # characters of a tensor's name
PEFT = "base_model.model."
KOHYA = {
    "lora_unet_": "unet.",
    "lora_te_": "text_encoder.",
    "lora_te1_": "text_encoder.",
    "lora_te2_": "text_encoder_2.",
}
REFUSED = {  # what marks adapters that are no LoRA or DoRA → what they are called
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "lora_mid": "LoCon with a Tucker core",
    "oft_": "OFT",
    "boft_": "BOFT",
    "ia3_": "(IA)³",
    "vera_": "VeRA",
    "lora_E": "AdaLoRA",
    "hra_": "HRA",
    "lora_embedding_": "LoRA on an embedding",
    "modules_to_save": "an adapter with whole modules",
    ".diff": "a difference of whole weights",
}


def split(key: str) -> tuple[str, str] | None:
    """("…q_proj", "a" | "b" | "added" | "alpha" | "magnitude" | "bias"); None: no name of an adapter.

    Raises: AdapterError for an adapter of another kind, by its name.
    """
    if len(key) > LONGEST:
        return None
    for mark, kind in REFUSED.items():
        if mark in key:
            raise AdapterError(
                f"it is {kind} ({key:.120}), which cannot be turned here",
                remedy="give LoRA or DoRA as PEFT, diffusers or kohya write them",
                field="adapter",
                value=key,
                kind=kind,
            )
    if match := LORA.fullmatch(key):
        side = "a" if match["side"] in ("down", "A") else "b"
        if match["of"] == "bias":
            return (match["module"], "added") if side == "b" else None
        return match["module"], side
    if match := OTHER.fullmatch(key):
        role = "magnitude" if match["role"] in ("dora_scale", "lora_magnitude_vector") else match["role"]
        return match["module"].removesuffix(".base_layer"), role
    return None


class Modules:
    """A model's modules by every name an adapter may give them. `shapes`: by the tensors' stored names."""

    def __init__(self, layout: Layout, shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.layout, self.shapes = layout, shapes
        matrices = [module for band in layout.bands for module, _ in band.matrices]
        self._stored = {module: stored(f"{module}.weight", shapes) for module in matrices}
        ours = {name: module for module, name in self._stored.items()}
        stem = f"{layout.entrances[0].partition('.')[0]}."
        bare = layout.kind == "text" and not any(name.startswith(stem) for name in shapes)
        for name, shape in shapes.items():
            matrix = name.endswith(".weight") and len(shape) in (2, 4) and not BUFFERS.search(name)
            if matrix and name not in ours:
                self._stored[(stem * bare + name).removesuffix(".weight")] = name
        self._turned = frozenset(matrices) if layout.transposed else frozenset()
        self._names = {known: module for module in self._stored for known in _names(module)}
        resnets = [re.match(r"unet\.up_blocks\.0\.resnets\.(\d+)", module) for module in self._stored]
        each = 1 + max((int(match[1]) for match in resnets if match), default=0)
        self._flat = {known: module for module in self._stored for known in _flat(module, each)}

    def find(self, name: str) -> str | None:
        """Our name of the module that a file's key is about."""
        for prefix, part in KOHYA.items():
            if name.startswith(prefix):
                return self._flat.get(part + name.removeprefix(prefix))
        name = name.removeprefix(PEFT)
        name = re.sub(r"\.processor\.(to_[qkvo][a-z]*)$", r".\1", name)
        name = re.sub(r"\.to_out$", ".to_out.0", name)
        return self._names.get(_short(name)) or self._names.get(_short(f"unet.{name}"))

    def parameter(self, module: str, of: str = "weight") -> str | None:
        """The stored name of a module's weight or bias; None: there is none."""
        name = self._stored[module].removesuffix("weight") + of
        return name if name in self.shapes else None

    def shape(self, module: str) -> tuple[int, ...]:
        """(out, in, …) of its weight, however it is stored."""
        shape = self.shapes[self._stored[module]]
        return shape[::-1] if module in self._turned else shape

    def turned(self, module: str) -> bool:
        """Whether its weight is stored as (in, out)."""
        return module in self._turned


def _short(name: str) -> str:
    return name.replace(".text_model.", ".")


def _names(module: str) -> Iterator[str]:
    part, _, rest = module.partition(".")
    yield _short(module)
    if not part.startswith(("text_encoder", "vae")):  # of the bare model, or of the UNet alone
        yield _short(rest)


def _flat(module: str, each: int) -> Iterator[str]:
    part, _, rest = module.partition(".")
    if part.startswith("text_encoder"):
        yield f"{part}.text_model_{rest.removeprefix('text_model.').replace('.', '_')}"
    elif part == "unet":
        yield f"{part}.{rest.replace('.', '_')}"
        if (theirs := compvis_name(rest, each)) is not None:
            yield f"{part}.{theirs.replace('.', '_')}"
