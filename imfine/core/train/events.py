"""What a training run yields, beside core's Phase and Notice: plain data, the same everywhere.

Knows nothing of who listens. Steps count from 1; losses are nats a trained token, or of pictures the mean
squared error of what the UNet predicts. Where tokens are counted, a picture model counts pictures.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from imfine.core.events import Notice, Phase

# why a run ended: all steps were made, a person stopped it, it got no better for long
Reason = Literal["steps", "stopped", "early"]


@dataclass(frozen=True)
class TrainStep:
    """One step of the optimizer. `tokens` counts what was read so far, padding left out; `grad_norm` is
    before clipping."""

    step: int
    steps: int
    epoch: float
    loss: float
    lr: float
    grad_norm: float
    tokens: int
    tokens_per_s: float
    eta_s: float
    type: Literal["train_step"] = "train_step"


@dataclass(frozen=True)
class Evaluated:
    """The loss on the held-out rows after `step` steps; `tokens` trained tokens were counted. Pictures have
    no perplexity."""

    step: int
    loss: float
    perplexity: float | None
    tokens: int
    type: Literal["evaluated"] = "evaluated"


@dataclass(frozen=True)
class Sampled:
    """What the model answers to prompt `index` of the plan after `step` steps, greedily."""

    step: int
    index: int
    prompt: str
    text: str
    type: Literal["sampled"] = "sampled"


@dataclass(frozen=True)
class SampledPicture:
    """What a picture model draws for prompt `index` of the plan after `step` steps, from the same noise each
    time. `file`: the PNG, from the run's folder, and later from the model's."""

    step: int
    index: int
    prompt: str
    seed: int
    width: int
    height: int
    sha256: str
    size: int  # bytes
    file: str
    type: Literal["sampled"] = "sampled"


@dataclass(frozen=True)
class Saved:
    """A checkpoint of `step` is on the disk; `kept` are the steps of all there are."""

    step: int
    kept: list[int]
    type: Literal["saved"] = "saved"


@dataclass(frozen=True)
class Resumed:
    """The run goes on after `step` steps; what was told of later ones is void. 0: from the start."""

    step: int
    type: Literal["resumed"] = "resumed"


@dataclass(frozen=True)
class TrainResult:
    """The trained model. Losses and perplexities are of the held-out rows; None where none were held out.

    path         the model's folder; adapter: that of the adapter's files, where the method makes one
    best_step    the step whose weights these are
    parameters, tensors  how many were trained
    curves       the file with every step, evaluation and sample, a JSON object a line
    peak_memory  bytes the process held at most
    """

    path: str
    adapter: str | None
    reason: Reason
    steps: int
    best_step: int
    loss_before: float | None
    loss_after: float | None
    perplexity_before: float | None
    perplexity_after: float | None
    curves: str
    parameters: int
    tensors: int
    tokens: int
    seconds: float
    peak_memory: int
    versions: dict[str, str] = field(default_factory=dict)
    type: Literal["train_result"] = "train_result"


@dataclass(frozen=True)
class ProbeResult:
    """How long a run would take: `seconds` are `steps` at `step_s`, `evaluations` (samples among them) at
    `evaluation_s`, and `rest_s` for reading, tokenising and saving. `rows` are learned, `held_out` not."""

    steps: int
    step_s: float
    evaluations: int
    evaluation_s: float
    rest_s: float
    seconds: float
    tokens_per_s: float
    rows: int
    held_out: int
    type: Literal["probe_result"] = "probe_result"


@dataclass(frozen=True)
class SliderResult:
    """A knob that was learned. `path`: its folder; `loss`: the mean of the last tenth of its steps."""

    path: str
    steps: int
    loss: float
    seconds: float
    parameters: int
    type: Literal["slider_result"] = "slider_result"


Sample = Sampled | SampledPicture
TrainEvent = Phase | Notice | Resumed | TrainStep | Evaluated | Sample | Saved | TrainResult


def to_json(event: TrainEvent | ProbeResult | SliderResult) -> dict[str, Any]:
    return asdict(event)
