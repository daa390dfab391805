"""What a training run is asked to do: checked settings and their JSON. Plain Python: knows no torch, no data.

`check` holds a plan against a model's layout; what no model could do is refused as soon as the plan is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from imfine.core.families import ImageLayout, Layout, TextLayout
from imfine.core.quantised import available
from imfine.core.sampling import Range, checked_number, is_halved
from imfine.errors import Invalid

PARTS: Mapping[str, tuple[str, ...]] = {"attn": ("q", "k", "v", "o"), "mlp": ("gate", "up", "down")}
METHODS = ("full", "lora", "dora", "qlora")
SCHEDULES = ("cosine", "linear", "constant")
DTYPES = ("float32", "bfloat16")
DEFAULT_LR = {"full": 5e-5, "lora": 2e-4, "dora": 2e-4, "qlora": 2e-4}
DEFAULT_LENGTH = 512
TIMES = 10  # evaluations and checkpoints in a run whose plan names no interval
MAX_SAMPLES = 8
MAX_SAMPLE_CHARACTERS = 4000

RANGES: Mapping[str, Range] = {
    "rank": Range(int, 1, 1024),
    "alpha": Range(float, 0.01, 4096.0),
    "dropout": Range(float, 0.0, 0.9),
    "epochs": Range(float, 0.01, 1000.0),
    "steps": Range(int, 1, 10_000_000),
    "lr": Range(float, 1e-9, 0.1),
    "warmup": Range(float, 0.0, 0.5),
    "weight_decay": Range(float, 0.0, 1.0),
    "clip": Range(float, 0.0, 1000.0),
    "batch": Range(int, 1, 1024),
    "accumulation": Range(int, 1, 1024),
    "length": Range(int, 8, 1_000_000),
    "eval_share": Range(float, 0.0, 0.5),
    "eval_every": Range(int, 1, 10_000_000),
    "patience": Range(int, 0, 1000),
    "save_every": Range(int, 1, 10_000_000),
    "keep": Range(int, 1, 100),
    "sample_tokens": Range(int, 1, 512),
    "ema": Range(float, 0.0, 0.99999),
    "resolution": Range(int, 8, 2048),
    "snr_gamma": Range(float, 0.1, 100.0),
    "caption_dropout": Range(float, 0.0, 1.0),
    "prior_count": Range(int, 1, 1000),
    "prior_weight": Range(float, 0.01, 10.0),
    "seed": Range(int, 0, 2**32 - 1),
}
OPTIONAL = ("alpha", "epochs", "steps", "lr", "length", "eval_every", "save_every", "resolution", "snr_gamma")
# What only one kind of model understands: for the other it has to be left as it is.
TEXT_ONLY = ("layers", "length", "packing", "answers_only", "sample_tokens")
PICTURES_ONLY = (
    "blocks",
    "resolution",
    "snr_gamma",
    "caption_dropout",
    "prior",
    "prior_count",
    "prior_weight",
)
TEXT_ENCODER = "TE"
# A run may be resumed with another value of anything but these: they say what is learned from what.
FIXED = ("parts", "layers", "blocks", "method", "rank", "alpha", "dropout", "length", "packing",
         "answers_only", "eval_share", "ema", "resolution", "snr_gamma", "caption_dropout", "prior",
         "prior_count", "prior_weight", "seed", "dtype")  # fmt: skip


def methods_here() -> tuple[str, ...]:
    """Those of METHODS that this machine has the libraries for."""
    return METHODS if available() else tuple(method for method in METHODS if method != "qlora")


@dataclass(frozen=True)
class Plan:
    """Raises Invalid for what is out of range, naming field ("plan.lr"), value and remedy.

    parts         attn (q, k, v, o) and mlp (gate, up, down): every matrix of the part, with its bias
    layers        of a text model; None: all of them
    blocks        of a picture model, by the names of its bands (IN01 … OUT11, TE the text encoder);
                  None: all of the UNet's, the text encoder stays as it is
    method        full: the weights themselves; lora, dora: low-rank matrices beside them (PEFT); qlora: the
                  same as lora, beside weights held in 4 bits (arXiv 2305.14314; text models, bitsandbytes)
    alpha         None: 2 × rank
    epochs/steps  one of them; neither: one epoch
    lr            None: 5e-5 for full, 2e-4 for the others
    warmup        share of the steps over which the learning rate rises
    clip          largest norm of the gradient; 0: off
    batch         sequences (pictures) at once; × accumulation (× processes) are one step
    length        tokens of a sequence; None: 512, or the model's context where that is shorter
    packing       several examples share a sequence, and do not see one another
    answers_only  the loss counts what the assistant says, not what it is asked
    eval_every    steps; None: ten times a run. Likewise save_every
    patience      evaluations without a better loss before it stops, keeping the best; 0: never
    keep          checkpoints kept
    samples       prompts that are answered, or drawn, at each evaluation
    ema           decay of an average of the weights, which is then what is measured and kept; 0: off
    resolution    pixels a side that pictures are cut to; None: the model's own
    snr_gamma     min-SNR weighting of the loss (arXiv 2303.09556); None: off
    caption_dropout  share of pictures shown without their caption, for guidance
    prior         what shall stay as it was ("a photo of a dog"): the model draws `prior_count` of it before
                  it begins, and learns it beside the data with `prior_weight` (DreamBooth, arXiv 2208.12242)
    dtype         bfloat16: what is trained is kept in float32 and computed in bfloat16
    """

    parts: tuple[str, ...] = ("attn", "mlp")
    layers: tuple[int, ...] | None = None
    blocks: tuple[str, ...] | None = None
    method: str = "lora"
    rank: int = 8
    alpha: float | None = None
    dropout: float = 0.0
    epochs: float | None = None
    steps: int | None = None
    lr: float | None = None
    schedule: str = "cosine"
    warmup: float = 0.03
    weight_decay: float = 0.01
    clip: float = 1.0
    batch: int = 4
    accumulation: int = 1
    length: int | None = None
    packing: bool = True
    checkpointing: bool = False
    answers_only: bool = True
    eval_share: float = 0.05
    eval_every: int | None = None
    patience: int = 0
    save_every: int | None = None
    keep: int = 2
    samples: tuple[str, ...] = ()
    sample_tokens: int = 48
    ema: float = 0.0
    resolution: int | None = None
    snr_gamma: float | None = None
    caption_dropout: float = 0.1
    prior: str | None = None
    prior_count: int = 32
    prior_weight: float = 1.0
    seed: int = 0
    dtype: str = "float32"

    def __post_init__(self) -> None:
        for name in ("packing", "checkpointing", "answers_only"):
            if not isinstance(getattr(self, name), bool):
                raise refused(name, getattr(self, name), "is not true or false", "give true or false")
        for name, limits in RANGES.items():
            value = getattr(self, name)
            if value is None and name in OPTIONAL:
                continue
            object.__setattr__(self, name, checked_number(name, value, limits, refused))
        for name, words in (("method", METHODS), ("schedule", SCHEDULES), ("dtype", DTYPES)):
            if getattr(self, name) not in words:
                raise refused(name, getattr(self, name), "is not known", f"use {' or '.join(words)}")
        object.__setattr__(self, "parts", _parts(self.parts))
        object.__setattr__(self, "layers", _layers(self.layers))
        object.__setattr__(self, "blocks", _blocks(self.blocks))
        object.__setattr__(self, "samples", _samples(self.samples))
        if self.prior is not None:
            check_prompt("prior", self.prior)
        if self.epochs is not None and self.steps is not None:
            raise refused("steps", self.steps, f"and epochs {self.epochs:g} exclude each other", "give one")

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> Plan:
        """From JSON. Raises: Invalid."""
        if not isinstance(data, Mapping):
            raise Invalid(f"plan is {type(data).__name__}, not an object", remedy="give {}", field="plan")
        names = [f.name for f in fields(cls)]
        for key in data:
            if key not in names:
                raise refused(str(key), data[key], "is not a setting of a plan", f"use {', '.join(names)}")
        return cls(**data)

    def to_json(self) -> dict[str, Any]:
        return {f.name: list(v) if isinstance(v := getattr(self, f.name), tuple) else v for f in fields(self)}

    def check(self, layout: Layout) -> None:
        """Raises: Invalid when the model has no such layer or block, does not read so many tokens, cannot
        draw so large, or a setting is of the other kind of model."""
        pictures = isinstance(layout, ImageLayout)
        own = {f.name: f.default for f in fields(self)}
        for name in TEXT_ONLY if pictures else PICTURES_ONLY:
            if getattr(self, name) != own[name]:
                what = "of text models; this one draws" if pictures else "of picture models; this one writes"
                raise refused(name, getattr(self, name), f"is a setting {what}", "leave it out")
        if isinstance(layout, ImageLayout):
            self._check_pictures(layout)
        else:
            assert isinstance(layout, TextLayout)
            self._check_text(layout)

    def _check_text(self, layout: TextLayout) -> None:
        last = layout.layers - 1
        for layer in self.layers or ():
            if layer > last:
                fact = f"is not in the model: it has {layout.layers} layers"
                raise refused("layers", layer, fact, f"name layers from 0 to {last}")
        if self.length is not None and self.length > layout.context_length:
            fact = f"is more than the {layout.context_length} tokens that the model reads"
            raise refused("length", self.length, fact, f"give at most {layout.context_length}")

    def _check_pictures(self, layout: ImageLayout) -> None:
        if self.method == "qlora":
            raise refused("method", self.method, "is for text models; this one draws", "use lora")
        for block in self.blocks or ():
            if block not in layout.trainable_bands:
                known = block in layout.band_names
                fact = "has no attention and no MLP" if known else "is not a block of the model"
                raise refused("blocks", block, fact, f"name some of {', '.join(layout.trainable_bands)}")
        multiple = layout.multiple_of
        if self.resolution is not None and self.resolution % multiple:
            near = max(multiple, round(self.resolution / multiple) * multiple)
            raise refused("resolution", self.resolution, f"is no multiple of {multiple}", f"give {near}")

    def tokens(self, layout: Layout) -> int:
        """Of one sequence."""
        assert isinstance(layout, TextLayout), "the plan has been checked"
        return self.length or min(DEFAULT_LENGTH, layout.context_length)

    def pixels(self, layout: Layout) -> int:
        """Of a picture's side."""
        assert isinstance(layout, ImageLayout), "the plan has been checked"
        return self.resolution or layout.sample_size

    def learns_other(self, other: Plan) -> str | None:
        """The field by which something else is learned than with `other`; None: it is the same."""
        return next((name for name in FIXED if getattr(self, name) != getattr(other, name)), None)

    def resumes(self, other: Plan) -> str | None:
        """The field that keeps a run of `other` from going on with this plan and as many processes; None:
        nothing does."""
        same = self.batch * self.accumulation == other.batch * other.accumulation
        return self.learns_other(other) or (None if same else "batch")

    @property
    def learning_rate(self) -> float:
        return DEFAULT_LR[self.method] if self.lr is None else self.lr

    @property
    def lora_alpha(self) -> float:
        return 2.0 * self.rank if self.alpha is None else self.alpha


def refused(name: str, value: Any, fact: str, remedy: str, of: str = "plan.") -> Invalid:
    return Invalid(
        f"{name} {value!r:.200} {fact}", remedy=remedy, field=f"{of}{name}", value=value, setting=name
    )


def _parts(parts: Any) -> tuple[str, ...]:
    if not isinstance(parts, (list, tuple)) or not parts or not all(part in PARTS for part in parts):
        raise refused("parts", parts, "are not parts of a model", f"give some of {', '.join(PARTS)}")
    return tuple(part for part in PARTS if part in parts)


def _layers(layers: Any) -> tuple[int, ...] | None:
    if layers is None:
        return None
    whole = isinstance(layers, (list, tuple)) and all(type(each) is int and each >= 0 for each in layers)
    if not whole or not layers:
        raise refused("layers", layers, "are not layers", "give a list such as [0, 1, 2], or null for all")
    return tuple(sorted(set(layers)))


def _blocks(blocks: Any) -> tuple[str, ...] | None:
    if blocks is None:
        return None
    names = isinstance(blocks, (list, tuple)) and all(isinstance(each, str) for each in blocks)
    if not names or not blocks:
        raise refused(
            "blocks", blocks, "are not blocks", 'give a list such as ["IN04", "TE"], or null for all'
        )
    return tuple(sorted(set(blocks)))


def _samples(samples: Any) -> tuple[str, ...]:
    if not isinstance(samples, (list, tuple)):
        raise refused("samples", samples, "is not a list of prompts", 'give a list such as ["Once"]')
    if len(samples) > MAX_SAMPLES:
        raise refused("samples", len(samples), "prompts are too many", f"give at most {MAX_SAMPLES}")
    for i, text in enumerate(samples):
        check_prompt(f"samples.{i}", text)
    return tuple(samples)


def check_prompt(name: str, text: Any, of: str = "plan.") -> None:
    """Raises: Invalid."""
    if not isinstance(text, str) or not 0 < len(text) <= MAX_SAMPLE_CHARACTERS:
        remedy = f"give texts of 1 to {MAX_SAMPLE_CHARACTERS} characters"
        raise refused(name, text, "cannot be a prompt", remedy, of)
    if is_halved(text):
        raise refused(name, text, "holds half of a surrogate pair", "give whole characters", of)
