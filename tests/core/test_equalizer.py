"""The laws of the equalizer, on small random models of every row of the table, against plain transformers."""

from __future__ import annotations

import copy
import hashlib
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from small_models import ARCHITECTURES, logits, prompt, small_model
from torch import nn

from imfine.core.equalizer import Equalizer
from imfine.core.recipe import Recipe
from imfine.errors import RecipeError

pytestmark = pytest.mark.usefixtures("one_thread")
every_architecture = pytest.mark.parametrize("architecture", ARCHITECTURES)

# Written by hand, not from the table: the modules of layer {i} that store a point, and which of their
# output features (rows of W) are the point's; None: all.
D, HD, H, KV, F = 48, 8, 6, 2, 80
SEPARATE = {
    "q": [("model.layers.{i}.self_attn.q_proj", None)],
    "k": [("model.layers.{i}.self_attn.k_proj", None)],
    "v": [("model.layers.{i}.self_attn.v_proj", None)],
    "o": [("model.layers.{i}.self_attn.o_proj", None)],
    "gate": [("model.layers.{i}.mlp.gate_proj", None)],
    "up": [("model.layers.{i}.mlp.up_proj", None)],
    "down": [("model.layers.{i}.mlp.down_proj", None)],
    "norm": [("model.layers.{i}.input_layernorm", None), ("model.layers.{i}.post_attention_layernorm", None)],
}
NEOX_OUT = torch.arange(3 * D).view(H, 3, HD)  # query_key_value's outputs: [head, (q, k, v), head_dim]
WHERE = {
    **dict.fromkeys(
        ("LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "GemmaForCausalLM"), SEPARATE
    ),
    "Qwen3ForCausalLM": {
        **SEPARATE,
        "q": [("model.layers.{i}.self_attn.q_norm", None)],
        "k": [("model.layers.{i}.self_attn.k_norm", None)],
    },
    "GPT2LMHeadModel": {
        "q": [("transformer.h.{i}.attn.c_attn", torch.arange(0, D))],
        "k": [("transformer.h.{i}.attn.c_attn", torch.arange(D, 2 * D))],
        "v": [("transformer.h.{i}.attn.c_attn", torch.arange(2 * D, 3 * D))],
        "o": [("transformer.h.{i}.attn.c_proj", None)],
        "up": [("transformer.h.{i}.mlp.c_fc", None)],
        "down": [("transformer.h.{i}.mlp.c_proj", None)],
        "norm": [("transformer.h.{i}.ln_1", None), ("transformer.h.{i}.ln_2", None)],
    },
    "GPTNeoXForCausalLM": {
        "q": [("gpt_neox.layers.{i}.attention.query_key_value", NEOX_OUT[:, 0].flatten())],
        "k": [("gpt_neox.layers.{i}.attention.query_key_value", NEOX_OUT[:, 1].flatten())],
        "v": [("gpt_neox.layers.{i}.attention.query_key_value", NEOX_OUT[:, 2].flatten())],
        "o": [("gpt_neox.layers.{i}.attention.dense", None)],
        "up": [("gpt_neox.layers.{i}.mlp.dense_h_to_4h", None)],
        "down": [("gpt_neox.layers.{i}.mlp.dense_4h_to_h", None)],
        "norm": [
            ("gpt_neox.layers.{i}.input_layernorm", None),
            ("gpt_neox.layers.{i}.post_attention_layernorm", None),
        ],
    },
    "Phi3ForCausalLM": {
        **SEPARATE,
        "q": [("model.layers.{i}.self_attn.qkv_proj", torch.arange(0, H * HD))],
        "k": [("model.layers.{i}.self_attn.qkv_proj", torch.arange(H * HD, (H + KV) * HD))],
        "v": [("model.layers.{i}.self_attn.qkv_proj", torch.arange((H + KV) * HD, (H + 2 * KV) * HD))],
        "gate": [("model.layers.{i}.mlp.gate_up_proj", torch.arange(0, F))],
        "up": [("model.layers.{i}.mlp.gate_up_proj", torch.arange(F, 2 * F))],
    },
}
CLASSIC = {"attn": "qkv", "mlp": ("up",)}
QWEN3_PROJECTIONS = {p: [(f"model.layers.{{i}}.self_attn.{p}_proj", None)] for p in "qkv"}


class Multiplied:
    """A deep copy whose very weights are multiplied by name: what plain transformers would answer."""

    def __init__(self, module: nn.Module, architecture: str) -> None:
        self.module, self.architecture = copy.deepcopy(module), architecture
        self.transposed = architecture == "GPT2LMHeadModel"

    def point(self, point: str, gain: float, layers: range = range(3), head: int | None = None) -> Multiplied:
        return self._multiply(WHERE[self.architecture][point], point, gain, layers, head)

    def knob(self, knob: str, band: list[float]) -> Multiplied:
        for point in CLASSIC[knob]:
            places = WHERE[self.architecture][point]
            if self.architecture == "Qwen3ForCausalLM" and knob == "attn":
                places = QWEN3_PROJECTIONS[point]
            for layer, gain in enumerate(band):
                self._multiply(places, point, gain, range(layer, layer + 1), None)
        return self

    def eps(self, band: list[float]) -> Multiplied:
        for layer, factor in enumerate(band):
            for name, _ in WHERE[self.architecture]["norm"]:
                norm = self.module.get_submodule(name.format(i=layer))
                attribute = "variance_epsilon" if hasattr(norm, "variance_epsilon") else "eps"
                setattr(norm, attribute, getattr(norm, attribute) * factor)
        return self

    @torch.no_grad()
    def _multiply(self, places, point, gain, layers, head):
        for layer in layers:
            for name, where in places:
                weight = self.module.get_submodule(name.format(i=layer)).weight
                matrix = weight.T if self.transposed and weight.dim() == 2 else weight  # (out, in)
                head_dim = 16 if self.architecture in ("Qwen3ForCausalLM", "GemmaForCausalLM") else HD
                if point == "o" and head is not None:
                    matrix[:, head * head_dim : (head + 1) * head_dim] *= gain
                    continue
                index = torch.arange(len(matrix)) if where is None else where
                if head is not None:
                    index = index[head * head_dim : (head + 1) * head_dim]
                matrix[index] *= gain
        return self


def live(module: nn.Module, layout, *recipes: Recipe, ids: torch.Tensor | None = None) -> torch.Tensor:
    equalizer = Equalizer(module, layout)
    try:
        with equalizer.applied(equalizer.plan(recipes)):
            return logits(module, prompt(len(recipes)) if ids is None else ids)
    finally:
        equalizer.close()


def assert_alike(live_logits: torch.Tensor, reference: torch.Tensor, tolerance: float = 1e-4) -> None:
    """Law 3: the same greedy tokens, and logits within `tolerance` of the largest logit."""
    error = (live_logits - reference).abs().max() / reference.abs().max()
    assert error < tolerance
    top = reference.topk(2).values  # (B, T, 2)
    clear = top[..., 0] - top[..., 1] > 2 * tolerance * reference.abs().max()
    assert torch.equal(live_logits.argmax(-1)[clear], reference.argmax(-1)[clear])


def assert_felt(tuned: torch.Tensor, base: torch.Tensor) -> None:
    """A test of equality proves nothing where the gain does nothing."""
    assert (tuned - base).abs().max() > 1e-3 * base.abs().max()


@every_architecture
def test_neutral_is_identity(architecture):
    module, layout = small_model(architecture)
    original = logits(module, prompt(3))
    equalizer = Equalizer(module, layout)
    strong = Recipe(eps=2, attn=1.5, mlp=0.5, points={"norm": 0.7, "v": 0.3, "0.v.h1": 2, "0.o.h1": 0})
    neutral = equalizer.plan([Recipe(), Recipe(attn=1), Recipe(attn=2, bands={"attn": [0.5] * 3})])
    assert neutral.is_neutral
    with equalizer.applied(neutral):
        assert torch.equal(logits(module, prompt(3)), original)
    with equalizer.applied(equalizer.plan([strong] * 3)):
        assert_felt(logits(module, prompt(3)), original)
    with equalizer.applied(neutral):  # reset
        assert torch.equal(logits(module, prompt(3)), original)
    assert torch.equal(logits(module, prompt(3)), original)  # hooks on, no plan
    equalizer.close()
    assert torch.equal(logits(module, prompt(3)), original)


@every_architecture
@pytest.mark.parametrize(
    ("gain", "tolerance"), [(0.5, 1e-4), (0.8, 1e-4), (1.5, 1e-4), (0.1, 1e-3), (2.0, 1e-3)]
)
def test_knobs_multiply_the_classic_weights(architecture, gain, tolerance):
    module, layout = small_model(architecture)
    base = logits(module, prompt())
    for knob in ("attn", "mlp"):
        tuned = live(module, layout, Recipe(**{knob: gain}))
        assert_felt(tuned, base)
        reference = Multiplied(module, architecture).knob(knob, [gain] * 3).module
        assert_alike(tuned, logits(reference, prompt()), tolerance)


@every_architecture
def test_eps_is_an_input_gain(architecture):
    module, layout = small_model(architecture)
    for knob in (0.1, 0.5, 2.0, layout.eps_knob_max):
        reference = Multiplied(module, architecture).eps([10 ** (knob - 1)] * 3).module
        assert_alike(live(module, layout, Recipe(eps=knob)), logits(reference, prompt()))
    assert_felt(live(module, layout, Recipe(eps=layout.eps_knob_max)), logits(module, prompt()))


@every_architecture
def test_a_band_multiplies_its_knob_layer_by_layer(architecture):
    module, layout = small_model(architecture)
    recipe = Recipe(
        attn=0.9, mlp=1.2, eps=1.5, bands={"attn": [1, 0.6, 1.5], "mlp": [0.5, 1, 1], "eps": [1, 2, 0]}
    )
    reference = (
        Multiplied(module, architecture)
        .knob("attn", [0.9, 0.54, 1.35])
        .knob("mlp", [0.6, 1.2, 1.2])
        .eps([10**0.5, 10**2, 10**-1])
    )
    assert_alike(live(module, layout, recipe), logits(reference.module, prompt()))


@every_architecture
def test_points_multiply_their_weights(architecture):
    module, layout = small_model(architecture)
    base = logits(module, prompt())
    assert set(layout.points) == set(WHERE[architecture])
    for point in layout.points:
        for gain in (0.5, 1.5):
            tuned = live(module, layout, Recipe(points={point: gain}))
            assert_felt(tuned, base)
            assert_alike(tuned, logits(Multiplied(module, architecture).point(point, gain).module, prompt()))
        tuned = live(module, layout, Recipe(points={point: 0.8, f"1.{point}": 0.5}))
        reference = Multiplied(module, architecture).point(point, 0.8).point(point, 0.5, range(1, 2))
        assert_alike(tuned, logits(reference.module, prompt()))


@every_architecture
def test_single_heads(architecture):
    module, layout = small_model(architecture)
    base = logits(module, prompt())
    for point in layout.points:
        heads = layout.heads_of(point)
        for head, gain in ((0, 0.5), (heads - 1, 0.0)):
            if not heads:
                with pytest.raises(RecipeError, match="no single heads"):
                    Recipe(points={f"1.{point}.h{0}": gain}).check(layout)
                continue
            tuned = live(module, layout, Recipe(points={f"1.{point}.h{head}": gain}))
            assert_felt(tuned, base)
            reference = Multiplied(module, architecture).point(point, gain, range(1, 2), head)
            assert_alike(tuned, logits(reference.module, prompt()))


@every_architecture
def test_everything_at_once(architecture):
    module, layout = small_model(architecture)
    head = f"2.{'v'}.h1"
    points = {"o": 0.8, "1.down": 1.3, "2.q": 1.4, head: 0.5, "norm": 1.1}
    tuned = live(module, layout, Recipe(eps=2, attn=1.2, mlp=0.7, points=points))
    reference = (
        Multiplied(module, architecture)
        .eps([10.0] * 3)
        .knob("attn", [1.2] * 3)
        .knob("mlp", [0.7] * 3)
        .point("o", 0.8)
        .point("down", 1.3, range(1, 2))
        .point("q", 1.4, range(2, 3))
        .point("v", 0.5, range(2, 3), head=1)
        .point("norm", 1.1)
    )
    assert_alike(tuned, logits(reference.module, prompt()))


RECIPES = (
    Recipe(),
    Recipe(attn=0.7),
    Recipe(mlp=1.4, eps=3),
    Recipe(points={"v": 0.5, "1.o.h2": 0}),
    Recipe(points={"norm": 0.8, "0.v.h1": 1.5, "q": 1.2}),
)


@every_architecture
def test_rows_do_not_leak(architecture):
    module, layout = small_model(architecture)
    together = live(module, layout, *RECIPES)
    assert torch.equal(together[0], live(module, layout, *[Recipe()] * len(RECIPES))[0])  # bitwise
    for row, recipe in enumerate(RECIPES):
        alone = live(module, layout, recipe)[0]
        assert (together[row] - alone).abs().max() < 1e-5 * alone.abs().max()
        others = [*RECIPES[::-1]]
        others[row] = recipe
        assert torch.equal(together[row], live(module, layout, *others)[row])  # other neighbours: bitwise


@every_architecture
def test_decoding_with_a_cache(architecture):
    module, layout = small_model(architecture)
    equalizer = Equalizer(module, layout)
    ids = prompt(len(RECIPES))
    whole = live(module, layout, *RECIPES)
    with torch.no_grad(), equalizer.applied(equalizer.plan(RECIPES)):
        first = module(ids[:, :4], use_cache=True)
        steps = [first.logits]
        for t in range(4, ids.shape[1]):
            steps.append(
                module(ids[:, t : t + 1], past_key_values=first.past_key_values, use_cache=True).logits
            )
    assert (torch.cat(steps, 1) - whole).abs().max() < 1e-5 * whole.abs().max()


@pytest.mark.parametrize("architecture", ["LlamaForCausalLM", "GPT2LMHeadModel"])
def test_two_threads_do_not_leak(architecture):
    module, layout = small_model(architecture)
    equalizer = Equalizer(module, layout)
    plans = [equalizer.plan([recipe, Recipe()]) for recipe in RECIPES[1:4]]
    ids = prompt(2)
    expected = []
    for plan in plans:
        with equalizer.applied(plan):
            expected.append(logits(module, ids))
    expected.append(logits(module, ids))
    wrong: list[str] = []
    barrier = threading.Barrier(4)

    def work(which: int) -> None:
        barrier.wait()
        for _ in range(60):
            if which < len(plans):
                with equalizer.applied(plans[which]):
                    got = logits(module, ids)
            else:
                got = logits(module, ids)  # no plan: the original
            if not torch.equal(got, expected[which]):
                wrong.append(f"thread {which}")

    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.parametrize(
    ("architecture", "name"),
    [
        ("GPT2LMHeadModel", "transformer.h.1.attn.c_attn"),
        ("GPTNeoXForCausalLM", "gpt_neox.layers.1.attention.query_key_value"),
        ("Phi3ForCausalLM", "model.layers.1.self_attn.qkv_proj"),
        ("Phi3ForCausalLM", "model.layers.1.mlp.gate_up_proj"),
    ],
)
def test_one_part_of_a_fused_matrix_leaves_the_others_untouched(architecture, name):
    module, layout = small_model(architecture)
    fused = module.get_submodule(name)
    x = torch.randn(2, 5, D)
    before = fused(x)
    bias = 0.0 if fused.bias is None else fused.bias
    equalizer = Equalizer(module, layout)
    for point, places in WHERE[architecture].items():
        if places[0][0].format(i=1) != name:
            continue
        own = torch.zeros(before.shape[-1], dtype=torch.bool)
        own[places[0][1]] = True
        with equalizer.applied(equalizer.plan([Recipe(), Recipe(points={point: 0.5})])):
            after = fused(x)
        assert torch.equal(after[0], before[0])
        assert torch.equal(after[1][:, ~own], before[1][:, ~own])
        torch.testing.assert_close(after[1][:, own], ((before - bias) * 0.5 + bias)[1][:, own])


def checksum(module: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(module.state_dict().items()):
        digest.update(name.encode() + tensor.numpy().tobytes())
    return digest.hexdigest()


@every_architecture
def test_weights_are_never_changed_in_place(architecture):
    module, layout = small_model(architecture)
    before = checksum(module)
    live(module, layout, *RECIPES)
    assert checksum(module) == before


@every_architecture
def test_bfloat16_errs_no_more_than_multiplied_weights_would(architecture):
    """Against fp32 multiplied weights, live bf16 errs at most 1.5 × what bf16 multiplied weights err."""
    module, layout = small_model(architecture)
    module = module.to(torch.bfloat16)  # the weights there are; both references start from them
    exact = copy.deepcopy(module).to(torch.float32)
    ids = torch.randint(3, 96, (1, 48), generator=torch.Generator().manual_seed(3))
    squares = {"live": 0.0, "multiplied": 0.0}
    for knob, gain in (("attn", 0.8), ("attn", 1.3), ("attn", 0.1), ("mlp", 0.6), ("mlp", 1.5), ("eps", 3.0)):
        band = [10 ** (gain - 1) if knob == "eps" else gain] * 3

        def multiplied(of: nn.Module, knob: str = knob, band: list[float] = band) -> torch.Tensor:
            copied = Multiplied(of, architecture)
            copied = copied.eps(band) if knob == "eps" else copied.knob(knob, band)
            return logits(copied.module, ids).float()

        truth = multiplied(exact)
        squares["multiplied"] += (multiplied(module) - truth).square().mean().item()
        squares["live"] += (
            (live(module, layout, Recipe(**{knob: gain}), ids=ids).float() - truth).square().mean().item()
        )
    assert math.sqrt(squares["live"]) <= 1.5 * math.sqrt(squares["multiplied"])


@every_architecture
def test_bfloat16_neutral_rows_are_bitwise_the_original(architecture):
    module, layout = small_model(architecture)
    module = module.to(torch.bfloat16)
    original = logits(module, prompt(len(RECIPES)))
    assert torch.equal(live(module, layout, *RECIPES)[0], original[0])


def test_a_plan_holds_only_what_is_not_neutral():
    module, layout = small_model("LlamaForCausalLM")
    equalizer = Equalizer(module, layout)
    plan = equalizer.plan([Recipe(), Recipe(bands={"mlp": [1, 0.5, 1]})])
    assert list(plan.inputs) == [module.get_submodule("model.layers.1.mlp.up_proj")]
    assert plan.outputs == {}
    assert plan.inputs[module.get_submodule("model.layers.1.mlp.up_proj")].flatten().tolist() == [1.0, 0.5]
    attn = equalizer.plan([Recipe(attn=0.5), Recipe()])
    assert len({gain.data_ptr() for gain in attn.inputs.values()}) == 3  # q, k and v share their layer's
    assert attn.nbytes < 1000


def test_plans_made_at_the_same_time_hook_a_module_once():
    module, layout = small_model("LlamaForCausalLM")
    recipe = Recipe(attn=0.5, mlp=0.5, eps=3, points={"o": 0.5, "norm": 0.5, "1.q.h1": 0})
    expected = live(module, layout, recipe)
    equalizer = Equalizer(module, layout)
    with ThreadPoolExecutor(8) as pool:
        plans = list(pool.map(lambda _: equalizer.plan([recipe]), range(64)))
    with equalizer.applied(plans[-1]):
        assert torch.equal(logits(module, prompt()), expected)


def test_a_plan_of_another_width_is_refused():
    module, layout = small_model("LlamaForCausalLM")
    with pytest.raises(AssertionError, match="1 recipes for 2 rows"):
        live(module, layout, Recipe(attn=0.5), ids=prompt(2))


def test_a_plan_checks_its_recipes():
    module, layout = small_model("GPT2LMHeadModel")
    with pytest.raises(RecipeError, match="gpt2 has no point gate"):
        Equalizer(module, layout).plan([Recipe(points={"gate": 0.5})])


def test_a_copy_of_an_equalized_model_is_untouched():
    module, layout = small_model("LlamaForCausalLM")
    original = logits(module, prompt())
    equalizer = Equalizer(module, layout)
    plan = equalizer.plan([Recipe(attn=0.5)])
    twin = copy.deepcopy(module)
    with equalizer.applied(plan):
        assert torch.equal(logits(twin, prompt()), original)
        assert_felt(logits(module, prompt()), original)
