"""What goes in and out of the API, as pydantic models: the page's TypeScript is generated from them.

Strict: nothing is coerced and an unknown field is refused. Knows the shape of a request, not whether a recipe
fits a model (core's `Recipe.parse` and `check` know that).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator

from imfine.errors import ImfineError, Invalid

Kind = Literal["generate", "train", "probe", "learn"]
State = Literal["queued", "running", "succeeded", "failed", "cancelled"]
Dtype = Literal["float32", "bfloat16"]
Method = Literal["full", "lora", "dora", "qlora"]
ModelKind = Literal["text", "image"]
RunId = Annotated[str, Field(pattern=r"^[0-9a-z]{26}$", description="26 characters, sortable by time")]
Time = Annotated[str, Field(description="ISO 8601, UTC, milliseconds", examples=["2026-11-22T10:00:00.000Z"])]
ModelRef = Annotated[str, Field(min_length=1, max_length=500, description="starter, Hub id or local folder")]
WorkerName = Annotated[str, Field(min_length=1, max_length=200)]


class Refused(bytes):
    """A body that could not become data. The schema it was meant for raises `error`, after authentication.

    Bytes, for FastAPI to pass it on as the body that it stands for.
    """

    error: ImfineError
    ends: bytes = b""  # what comes first and last in a body that is too large

    def __new__(cls, error: ImfineError) -> Refused:
        self = super().__new__(cls, b"refused")
        self.error = error
        return self


class In(BaseModel):
    """What a client sends."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _readable(cls, data: Any) -> Any:
        if isinstance(data, Refused):
            raise data.error
        if isinstance(data, bytes):
            raise Invalid(
                "the body is not declared as JSON", remedy="send Content-Type: application/json", field="body"
            )
        return data


class Out(BaseModel):
    """What the server answers. Fields with defaults are always present."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)


class Sparse(Out):
    """As `Out`, but fields with defaults may be missing: what was kept before they came has none."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=False)


# ---------------------------------------------------------------- errors


class ErrorBody(Out):
    code: str = Field(description="stable; the page translates it")
    message: str
    remedy: str
    field: str | None = Field(description="dotted path of the field that is wrong")
    value: bool | int | float | str | None
    params: dict[str, Any]


class Error(Out):
    error: ErrorBody


# ---------------------------------------------------------------- requests


class Bands(In):
    """One factor a layer."""

    attn: list[float] | None = None
    mlp: list[float] | None = None
    eps: list[float] | None = None


class DeltaBands(In):
    """One factor a layer."""

    attn: list[float] | None = None
    mlp: list[float] | None = None


class DeltaIn(In):
    """In layer i the delta's strength is `strength` × `bands` of its part there."""

    strength: float
    bands: DeltaBands | None = None


class RecipeIn(In):
    """Gains and deltas; whatever is left out is neutral."""

    eps: float = 1.0
    attn: float = 1.0
    mlp: float = 1.0
    tone: float = Field(default=0.0, description="of image models; −1 to 1, 0 is neutral")
    style: float = Field(default=0.0, description="of image models; −1 to 1, 0 is neutral")
    bands: Bands | None = None
    points: dict[str, float] | None = Field(default=None, examples=[{"o": 0.8, "4.q": 1.2, "4.o.h3": 0.0}])
    deltas: dict[str, float | DeltaIn] | None = Field(
        default=None,
        description="the model's deltas by id: −2 to 2, 0 is the original, 1 the trained model",
        examples=[{"my-training": 0.5}],
    )


class SamplingIn(In):
    greedy: bool = False
    temperature: float = 0.7
    top_k: int = Field(default=0, description="0: off")
    top_p: float = 0.95
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    stop: list[str] = []
    seed: int | None = Field(default=None, description="null: one is drawn and kept with the run")
    max_new_tokens: int = 128
    min_new_tokens: int = 0
    raw: bool = Field(default=False, description="true: completes without the chat template")


class ImageIn(In):
    """How pictures are made; whatever is left out or null is the model's own."""

    negative: str = Field(default="", description="what shall not be seen; read where guidance is above 1")
    steps: int | None = Field(default=None, description="1 to 150")
    guidance: float | None = Field(default=None, description="0 to 30; 1 and below: none")
    scheduler: Literal["default", "ddim", "dpmpp_2m_karras", "euler", "euler_a", "lcm"] = "default"
    width: int | None = Field(default=None, description="pixels; a multiple of the model's `multiple_of`")
    height: int | None = None
    count: int = Field(default=1, description="pictures a lane, 1 to 8; the i-th has the seed `seed` + i")
    seed: int | None = Field(default=None, description="null: one is drawn and kept with the run")
    previews: bool = True


class Message(In):
    role: Literal["system", "user", "assistant"]
    content: str


class LaneIn(In):
    name: str = Field(min_length=1, max_length=64)
    recipe: RecipeIn = RecipeIn()


class GenerateIn(In):
    """A run that is asked for: `prompt` or `messages`, never both. `sampling` and `top` are for text models,
    `image` for image models, which read a prompt."""

    kind: Literal["generate"]
    model: ModelRef
    revision: str | None = Field(default=None, min_length=1, max_length=200)
    prompt: str | None = None
    messages: list[Message] | None = None
    recipe: RecipeIn = RecipeIn()
    sampling: SamplingIn = SamplingIn()
    image: ImageIn | None = None
    lanes: list[Literal["base", "tuned"] | LaneIn] = Field(
        default=["base", "tuned"],
        min_length=1,
        max_length=32,
        description='"tuned" uses the recipe of the request',
    )
    top: int = Field(default=0, ge=0, le=5, description="likeliest candidates to send with every token")
    dtype: Dtype | None = None
    page: str | None = Field(
        default=None, min_length=1, max_length=64, description="the page that follows this run"
    )
    replaces: str | None = Field(
        default=None,
        min_length=1,
        max_length=64,
        description="a run that nobody waits for any more: cancelled in the same moment if it goes on",
    )


class PlanIn(In):
    """How it is trained; whatever is left out is core's default, null too where null is allowed."""

    parts: list[Literal["attn", "mlp"]] = ["attn", "mlp"]
    layers: list[int] | None = Field(default=None, description="of a text model; null: all of them")
    blocks: list[str] | None = Field(
        default=None,
        description="of a picture model, by its band names; null: the UNet's, not the text encoder",
    )
    method: Method = Field(
        default="lora", description="qlora: a text model held in 4 bits; where a worker has bitsandbytes"
    )
    rank: int = 8
    alpha: float | None = Field(default=None, description="null: 2 × rank")
    dropout: float = 0.0
    epochs: float | None = Field(default=None, description="or steps; neither: one epoch")
    steps: int | None = None
    lr: float | None = Field(default=None, description="null: by the method")
    schedule: Literal["cosine", "linear", "constant"] = "cosine"
    warmup: float = Field(default=0.03, description="share of the steps")
    weight_decay: float = 0.01
    clip: float = Field(default=1.0, description="largest norm of the gradient; 0: off")
    batch: int = 4
    accumulation: int = 1
    length: int | None = Field(default=None, description="tokens of a sequence")
    packing: bool = True
    checkpointing: bool = False
    answers_only: bool = True
    eval_share: float = 0.05
    eval_every: int | None = None
    patience: int = 0
    save_every: int | None = None
    keep: int = Field(default=2, description="checkpoints kept")
    samples: list[str] = []
    sample_tokens: int = 48
    ema: float = Field(default=0.0, description="decay of the average that is kept; 0: off")
    resolution: int | None = Field(default=None, description="pixels; null: the model's own")
    snr_gamma: float | None = Field(default=None, description="min-SNR weighting; null: off")
    caption_dropout: float = Field(default=0.1, description="share of pictures without their caption")
    prior: str | None = Field(default=None, description="what the model draws first and shall not forget")
    prior_count: int = 32
    prior_weight: float = 1.0
    seed: int = 0
    dtype: Dtype = Field(default="float32", description="left out: what the machine is quick in")


class TrainIn(In):
    """A model that is to be trained on a data set of its kind; the result is a model called `name`."""

    kind: Literal["train"]
    model: ModelRef
    revision: str | None = Field(default=None, min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=64, description="a folder's name that no model has yet")
    dataset: str = Field(min_length=1, max_length=64)
    plan: PlanIn = PlanIn()
    resumes: RunId | None = Field(
        default=None,
        description="a run that has failed or was paused: this one goes on from its last checkpoint, asked "
        "the same but for how it learns (lr, schedule, steps, batch × accumulation as a product, …)",
    )
    page: str | None = Field(default=None, min_length=1, max_length=64)


class SliderIn(In):
    """What a knob shall learn; whatever is left out is core's default."""

    plus: str = Field(description="what it turns to", examples=["smiling face"])
    minus: str = Field(description="what it turns away from", examples=["crying face"])
    neutral: list[str] = Field(default=[], description="what it is for, a prompt each; none: anything")
    rank: int = 4
    steps: int = 200
    batch: int = 4
    lr: float = 1e-3
    eta: float = Field(default=2.0, description="how far 1 goes, in differences of plus and minus")
    count: int = Field(default=32, description="pictures that the model draws to learn on")
    seed: int = 0
    dtype: Dtype = "float32"


class ProbeIn(In):
    """Some steps of such a run are taken, and thrown away, to tell how long it would last: of one that trains
    on `dataset` with `plan`, or of one that learns `slider`."""

    kind: Literal["probe"]
    model: ModelRef
    revision: str | None = Field(default=None, min_length=1, max_length=200)
    dataset: str | None = Field(default=None, min_length=1, max_length=64)
    plan: PlanIn = PlanIn()
    slider: SliderIn | None = Field(default=None, description="instead of a data set")
    page: str | None = Field(default=None, min_length=1, max_length=64)
    replaces: str | None = Field(
        default=None, min_length=1, max_length=64, description="as in `GenerateIn`: an older probe, say"
    )


class LabelIn(In):
    """What it is called in the page's languages."""

    en: str | None = Field(default=None, min_length=1, max_length=64)
    ko: str | None = Field(default=None, min_length=1, max_length=64)


class LearnIn(In):
    """A knob that a picture model is to learn between two opposite prompts, without data; the result is a
    delta of the model called `name`, from −2 to 2."""

    kind: Literal["learn"]
    model: ModelRef
    revision: str | None = Field(default=None, min_length=1, max_length=200)
    name: str = Field(min_length=1, max_length=64, description="that no model and no delta has yet")
    slider: SliderIn
    label: LabelIn | None = Field(default=None, description="null: as its name")
    page: str | None = Field(default=None, min_length=1, max_length=64)


class EstimateIn(In):
    model: ModelRef
    revision: str | None = Field(default=None, min_length=1, max_length=200)
    plan: PlanIn = PlanIn()


def _kind_of(body: Any) -> str:
    """What is none of them is held against the schema of `generate`, which says what is wrong."""
    kind = body.get("kind") if isinstance(body, dict) else getattr(body, "kind", None)
    return kind if kind in ("train", "probe", "learn") else "generate"


RunIn = Annotated[
    Annotated[GenerateIn, Tag("generate")]
    | Annotated[TrainIn, Tag("train")]
    | Annotated[ProbeIn, Tag("probe")]
    | Annotated[LearnIn, Tag("learn")],
    Discriminator(_kind_of),
]


class LoginIn(In):
    token: str = Field(min_length=1, max_length=1000)


class ManifestIn(In):
    model: ModelRef
    revision: str | None = Field(default=None, min_length=1, max_length=200)
    recipe: RecipeIn = RecipeIn()


# ---------------------------------------------------------------- runs


class LaneAsked(Out):
    name: str
    recipe: dict[str, Any]


class RunRequest(Sparse):
    """The request in its canonical form: enough to make the run again."""

    kind: Literal["generate"]
    model: str
    revision: str | None
    prompt: str | None
    messages: list[dict[str, str]] | None
    recipe: dict[str, Any]
    sampling: dict[str, Any] = Field(description="{} where pictures were asked for")
    image: dict[str, Any] | None = Field(
        default=None, description="nothing left open; of runs that ask for pictures"
    )
    lanes: list[LaneAsked]
    top: int
    dtype: Dtype | None


class TrainRequest(Sparse):
    """As `RunRequest`, of a run that trains."""

    kind: Literal["train"]
    model: str
    revision: str | None
    name: str
    dataset: str
    plan: dict[str, Any] = Field(description="nothing left open but what is null")
    resumes: str | None = None


class ProbeRequest(Sparse):
    """As `TrainRequest` or `LearnRequest`, of a run that measures."""

    kind: Literal["probe"]
    model: str
    revision: str | None
    dataset: str | None = None
    plan: dict[str, Any] | None = None
    slider: dict[str, Any] | None = None


class LearnRequest(Out):
    """As `RunRequest`, of a run that learns a knob."""

    kind: Literal["learn"]
    model: str
    revision: str | None
    name: str
    slider: dict[str, Any] = Field(description="nothing left open")
    label: dict[str, str] | None


class PhaseNow(Out):
    phase: str
    done: int
    total: int | None
    unit: str


class RunSummary(Out):
    id: str
    kind: Kind
    state: State
    name: str
    model: str
    page: str | None
    prompt: str = Field(
        description="its first 200 characters; of a run that trains: the data set's name; of one that "
        "learns a knob: both prompts"
    )
    recipe: dict[str, Any]
    recipe_hash: str
    attempt: int
    worker: str | None
    position: int | None = Field(description="older runs still queued before this one; null unless queued")
    phase: PhaseNow | None
    error: ErrorBody | None
    created_at: Time
    started_at: Time | None
    finished_at: Time | None


class Run(RunSummary):
    resumable: Resumable | None = Field(description="from where another run may go on with this one")
    prompt: str = Field(description="the whole prompt, or the last message; else as in the summary")
    request: Annotated[RunRequest | TrainRequest | ProbeRequest | LearnRequest, Field(discriminator="kind")]
    result: (
        Annotated[
            ResultEvent | TrainResultEvent | ProbeResultEvent | SliderResultEvent, Field(discriminator="type")
        ]
        | None
    )


class Resumable(Out):
    step: int


class RunList(Out):
    items: list[RunSummary]
    next: str | None = Field(description="cursor of the next page; null: this was the last")
    total: int


# ---------------------------------------------------------------- events


class _Event(Out):
    run: str
    attempt: int


class PhaseEvent(_Event):
    type: Literal["phase"]
    phase: Literal["waiting", "downloading", "loading", "working", "measuring", "saving"]
    done: int
    total: int | None
    unit: Literal["bytes", "tokens", "steps", "lanes", "runs", "parts"]


class Candidate(Out):
    id: int
    text: str
    p: float


class TokensEvent(_Event):
    type: Literal["tokens"]
    lane: int
    start: int
    ids: list[int]
    texts: list[str]
    top: list[list[Candidate]] | None


class LaneEndEvent(_Event):
    type: Literal["lane_end"]
    lane: int
    finish_reason: Literal["stop", "length", "context", "cancelled"]
    tokens: int
    tokens_per_s: float
    first_token_ms: float


class MeasuresEvent(_Event):
    type: Literal["measures"]
    lane: int
    expected_by_original: float | None
    perplexity_original: float | None
    reference_loss: float | None
    distinct_1: float | None
    distinct_2: float | None
    repetition: float | None
    first_change: int | None


class PreviewEvent(_Event):
    """A picture so far. Only on live streams, without an id: it is kept nowhere and never told again."""

    type: Literal["preview"]
    lane: int
    index: int
    step: int
    steps: int
    mime: Literal["image/png", "image/webp"]
    data: str = Field(description="base64")


class PictureEvent(_Event):
    type: Literal["picture"]
    lane: int
    index: int
    seed: int
    width: int
    height: int
    sha256: str
    size: int = Field(description="bytes")
    url: str = Field(description="where the PNG is")


class PictureMeasuresEvent(_Event):
    """Beside the base lane's picture of the same index; null for the base lane itself."""

    type: Literal["picture_measures"]
    lane: int
    index: int
    difference: float | None
    ssim: float | None
    colourfulness: float
    sharpness: float


class NoticeEvent(_Event):
    type: Literal["notice"]
    code: str
    message: str
    params: dict[str, Any]


class KeptPicture(Out):
    """What one of our PNGs says: enough to make the picture again."""

    model: str
    revision: str | None = None
    checksum: str | None = None
    prompt: str
    recipe: dict[str, Any]
    image: dict[str, Any]
    seed: int
    lane: str
    version: str | None = None


class PictureMade(Out):
    index: int
    seed: int
    sha256: str
    width: int
    height: int


class LaneResult(Sparse):
    """A lane of pictures has no text and no tokens."""

    name: str
    text: str
    token_ids: list[int]
    pictures: list[PictureMade] | None = Field(default=None, description="of image models")
    finish_reason: str
    recipe: dict[str, Any]
    metrics: dict[str, Any]


class ResultEvent(Sparse):
    type: Literal["result"]
    model: str
    revision: str
    dtype: str
    device: str
    recipe: dict[str, Any]
    seed: int
    lanes: list[LaneResult]
    image: dict[str, Any] | None = Field(default=None, description="as used; of runs that made pictures")
    manifest: dict[str, Any]
    timing: dict[str, float]
    checksum: dict[str, Any]
    versions: dict[str, str]


class RunResultEvent(_Event, ResultEvent):
    """`result` on the stream: the whole answer, last before the terminal state."""


class TrainStepsEvent(_Event):
    """Steps of the optimizer: arrays of equal length; the single numbers are of the last of them."""

    type: Literal["train_steps"]
    steps: int = Field(description="of the whole run")
    step: list[int]
    loss: list[float]
    lr: list[float]
    grad_norm: list[float]
    tokens: int
    tokens_per_s: float
    epoch: float
    eta_s: float


class EvaluatedEvent(_Event):
    """The loss on the rows held out: nats a token; of pictures a mean squared error without a perplexity."""

    type: Literal["evaluated"]
    step: int
    loss: float
    perplexity: float | None
    tokens: int = Field(description="or pictures")


class SampledPicture(Out):
    seed: int
    width: int
    height: int
    sha256: str
    size: int = Field(description="bytes")
    url: str


class SampledEvent(_Event):
    """What the model makes of a prompt of the plan: a text, or a picture."""

    type: Literal["sampled"]
    step: int
    index: int
    prompt: str
    text: str = Field(description='"" where it draws')
    picture: SampledPicture | None = None


class SavedEvent(_Event):
    type: Literal["saved"]
    step: int
    kept: list[int]


class TrainResultEvent(Out):
    """Losses and perplexities are of the rows held out; null where there are none."""

    type: Literal["train_result"]
    model: str = Field(description="the new model's id")
    path: str
    adapter: str | None
    reason: Literal["steps", "stopped", "early"]
    steps: int
    best_step: int = Field(description="whose weights these are")
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
    versions: dict[str, str]


class RunTrainResultEvent(_Event, TrainResultEvent):
    """`train_result` on the stream, last before the terminal state."""


class ProbeResultEvent(Out):
    """How long a run would last: `seconds` are `steps` at `step_s`, `evaluations` at `evaluation_s`, and
    `rest_s` for reading, tokenising and saving; for a knob, for reading and drawing."""

    type: Literal["probe_result"]
    steps: int
    step_s: float
    evaluations: int
    evaluation_s: float
    rest_s: float
    seconds: float
    tokens_per_s: float
    rows: int = Field(description="or pictures, that are learned")
    held_out: int = Field(description="rows that are measured with")


class RunProbeResultEvent(_Event, ProbeResultEvent):
    """`probe_result` on the stream, last before the terminal state."""


class SliderResultEvent(Out):
    """A knob that was learned; `loss` is the mean of the last tenth of its steps."""

    type: Literal["slider_result"]
    delta: str = Field(description="its id, among the model's deltas")
    steps: int
    loss: float
    seconds: float
    parameters: int


class RunSliderResultEvent(_Event, SliderResultEvent):
    """`slider_result` on the stream, last before the terminal state."""


class StateEvent(_Event):
    """The server's own: a run's state, or its place in the queue, has changed."""

    type: Literal["state"]
    state: State
    kind: Kind
    name: str
    model: str
    page: str | None
    position: int | None
    worker: str | None
    error: ErrorBody | None


class RestartEvent(_Event):
    """A new attempt begins at `from`: lanes are cleared; charts are cut back to it, the last step that stays.
    Of a run that trains it comes when the checkpoint has been read."""

    model_config = ConfigDict(populate_by_name=True)
    type: Literal["restart"]
    from_: int = Field(alias="from")


Event = Annotated[
    PhaseEvent
    | TokensEvent
    | LaneEndEvent
    | MeasuresEvent
    | PreviewEvent
    | PictureEvent
    | PictureMeasuresEvent
    | NoticeEvent
    | RunResultEvent
    | TrainStepsEvent
    | EvaluatedEvent
    | SampledEvent
    | SavedEvent
    | RunTrainResultEvent
    | RunProbeResultEvent
    | RunSliderResultEvent
    | StateEvent
    | RestartEvent,
    Field(discriminator="type"),
]


# ---------------------------------------------------------------- models


class Card(Sparse):
    """A model as it can be shown and chosen. Sizes in bytes; null: not known without fetching it."""

    id: str
    name: str
    family: str | None
    architecture: str | None
    kind: ModelKind | None = Field(default=None, description="what it answers with; null: it cannot be read")
    source: Literal["starter", "made", "hub", "local"]
    path: str | None
    ready: bool = Field(description="whole, on this disk")
    parameters: int | None
    size_on_disk: int | None
    expanded_size: int | None = Field(description="a GGUF file's, once read")
    download_size: int | None = Field(description="what is still to be fetched")
    memory_needed: int | None = Field(description="with `dtype`, both lanes running")
    dtype: str
    fits: bool
    reason: ErrorBody | None = Field(description="why it cannot be used here")
    licence: str | None
    languages: list[str] | None
    layers: int | None
    context_length: int | None
    gated: bool
    starter: bool
    revision: str | None


class ImageLayout(Out):
    """How an image model draws, left alone."""

    sample_size: int = Field(description="pixels a side")
    multiple_of: int = Field(description="of which width and height are multiples")
    latent_channels: int
    encoders: int
    window: int = Field(description="tokens of a prompt that are read")
    prediction: Literal["epsilon", "v_prediction"]
    steps: int | None = Field(default=None, description="null: nothing is said of it")
    guidance: float | None = None


class Layout(Out):
    """What the equalizer can reach in this model. The sizes of a text model are null for an image model."""

    kind: ModelKind
    family: str
    architecture: str
    layers: int = Field(description="bands: layers of a text model, blocks of an image model")
    band_names: list[str] = Field(description="in the order of a recipe's bands")
    trainable_bands: list[str] = Field(description="those of them with ATTN or MLP matrices: what can learn")
    knobs: list[str]
    image: ImageLayout | None = Field(description="of an image model")
    heads: int | None
    kv_heads: int | None
    head_dim: int | None
    hidden_size: int | None
    intermediate_size: int | None
    vocab_size: int | None
    context_length: int | None
    tied_embeddings: bool | None
    eps: float
    eps_knob_max: float = Field(description="the knob that makes eps 1e-1")
    points: list[str]
    heads_of: dict[str, int] = Field(description="point → how many heads of it have a gain of their own")
    qk_norm: bool = Field(description="q and k are normalised: classic ATTN is felt in v only")
    classic: dict[str, list[str]] = Field(description="knob → the points it scales")
    gain_max: float = Field(description="largest ATTN, MLP, band and point value")
    classic_min: float
    classic_max: float


class CardList(Out):
    items: list[Card]


class Delta(Out):
    """What a training or an adapter changes in a model: a knob of its own."""

    id: str
    kind: Literal["trained", "adapter", "slider"]
    method: Method
    parts: list[Literal["attn", "mlp"]] = Field(description="what it changes of them")
    tensors: int = Field(description="of the model's, that it changes")
    size: int = Field(description="bytes")
    low: float = Field(description="where its slider begins")
    high: float
    label: dict[str, str] | None = Field(description="by language; null: its id is its name")


class ModelDetail(Out):
    card: Card
    layout: Layout
    tensors: int | None = Field(description="null until the model is on this disk")
    deltas: list[Delta]
    methods: list[Method] = Field(description="how it can be trained by the workers that are there")
    parent: str | None = Field(description="the model it was trained from, whose delta it is too")


class Adapter(Out):
    """An adapter that was given, as a delta of its model; `reason` where it cannot be turned any more."""

    id: str
    model: str
    file: str | None = Field(description="what it was called")
    created: str | None
    delta: Delta | None
    reason: ErrorBody | None


class AdapterList(Out):
    items: list[Adapter]


class TouchedTensor(BaseModel):
    """One `factor` for the whole tensor, `factors` where its parts differ, or TONE's `matrix` along its
    outputs; `strengths` of the deltas that change it, by id."""

    name: str
    part: str
    factor: float | None = None
    factors: dict[str, float] | None = None
    matrix: list[list[float]] | None = None
    strengths: dict[str, float] | None = None


class EpsChange(BaseModel):
    model_config = ConfigDict(populate_by_name=True)
    norm: str
    from_: float = Field(alias="from")
    to: float


class Manifest(Out):
    tensors: list[TouchedTensor]
    touched: int
    total: int
    parameters: int
    share: float
    eps: list[EpsChange]


# ---------------------------------------------------------------- training


class Trainable(Out):
    """What a plan trains, and of how much."""

    parameters: int
    tensors: int
    all_parameters: int
    all_tensors: int
    share: float = Field(description="of the parameters, 0 to 1")


class Need(Out):
    """Bytes."""

    weights: int
    gradients: int
    optimizer: int
    activations: int
    working: int = Field(description="what a step holds for a moment")
    together: int = Field(description="at the worst moment: gradients grow as activations go")


class Estimate(Out):
    trainable: Trainable
    memory: Need
    have: int = Field(description="bytes that are free")
    device: Literal["cpu", "cuda"]
    fits: bool
    change: dict[str, Any] | None = Field(
        description="fields of the plan, changed so that it fits; null where it does, or where nothing helps"
    )
    remedy: str | None = Field(description="null where it fits")


# ---------------------------------------------------------------- data sets


class Finding(Out):
    """What one should know of the data; not an error."""

    code: str = Field(description="stable; the page translates it")
    message: str
    params: dict[str, Any] = Field(
        description="`count`: how many; `files`: of each line, where there are several"
    )
    lines: list[int] = Field(description="the first hundred, from 1; of a table its rows")


class PictureSizes(Out):
    """Width and height in pixels."""

    smallest: list[int]
    largest: list[int]


class Dataset(Out):
    """Data to train on. Immutable: the id is the sha256 of its rows, which name every picture by its own."""

    id: str
    name: str
    kind: ModelKind
    format: Literal["messages", "sharegpt", "alpaca", "prompt_completion", "text", "pictures"]
    rows: int = Field(description="or pictures")
    bytes: int
    columns: dict[str, str] = Field(description="part → what the data call it, where that differs")
    findings: list[Finding]
    sizes: PictureSizes | None = Field(description="of pictures")
    created_at: Time


class DatasetList(Out):
    items: list[Dataset]


class HubDatasetIn(In):
    data: str = Field(
        min_length=1, max_length=500, description="owner/name of the Hub, with @revision and /folder"
    )
    columns: str | None = Field(default=None, max_length=500, description="as for data that are given")


class FetchStep(Out):
    """One of them."""

    phase: PhaseNow | None = None
    dataset: Dataset | None = None
    error: ErrorBody | None = None


class Piece(Out):
    text: str
    trained: bool


class PicturePreview(Out):
    url: str
    width: int
    height: int


class RowPreview(Sparse):
    """Its pieces joined are the text that the model reads."""

    pieces: list[Piece]
    picture: PicturePreview | None = Field(default=None, description="of a data set of pictures")


class TokenCount(Out):
    """Of the first 2,000 rows."""

    rows: int
    tokens: int = Field(description="after rows are cut at `length`")
    trained: int
    longest: int = Field(description="tokens of the longest row, before it is cut")
    length: int
    findings: list[Finding]


class PictureCount(Out):
    """Of all pictures."""

    rows: int
    captioned: int
    pixels: int = Field(description="as asked")
    findings: list[Finding]


class DatasetPreview(Out):
    rows: list[RowPreview]
    tokens: TokenCount | None = Field(description="null without a text model")
    pictures: PictureCount | None = Field(description="of pictures, where `pixels` was asked")


# ---------------------------------------------------------------- session, workers, health


class Session(Out):
    version: str
    public_url: str | None
    languages: list[str]
    max_body_bytes: int = Field(description="largest request body")


class Worker(Out):
    worker: str
    queues: list[str]
    pid: int
    host: str
    device: str
    memory_total: int
    warm: list[str]
    methods: list[str] = Field(description="of training, that it has the libraries for")
    version: str
    alive: bool
    seen_s: float = Field(description="seconds since it last spoke")
    runs: list[str]


class WorkerList(Out):
    items: list[Worker]


class Health(Out):
    ok: bool


class Part(Out):
    ok: bool
    detail: str


class Ready(Out):
    ok: bool
    store: Part
    broker: Part
    worker: Part


Run.model_rebuild()
