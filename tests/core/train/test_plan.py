"""A plan is checked as it is made; what it trains is counted from names and shapes."""

from __future__ import annotations

import math

import pytest
from small_models import ARCHITECTURES, small_model

from imfine.core.train.plan import FIXED, Plan
from imfine.core.train.schedule import learning_rate
from imfine.core.train.targets import targets, trainable
from imfine.errors import Invalid


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lr", 10.0),
        ("lr", math.nan),
        ("lr", "fast"),
        ("rank", 0),
        ("rank", 2.5),
        ("rank", True),
        ("steps", 2**63),
        ("epochs", math.inf),
        ("batch", -1),
        ("dropout", 1.0),
        ("eval_share", 0.9),
        ("method", "prefix"),
        ("schedule", "step"),
        ("dtype", "float16"),
        ("parts", []),
        ("parts", ["norm"]),
        ("layers", []),
        ("layers", [-1]),
        ("layers", "0-3"),
        ("packing", 1),
        ("samples", "Once"),
        ("samples", ["x"] * 9),
        ("samples", ["\ud800"]),
        ("speed", 3),
    ],
)
def test_what_cannot_be_used_is_refused_with_field_value_and_remedy(field, value):
    with pytest.raises(Invalid) as refused:
        Plan.parse({field: value})
    assert refused.value.field.startswith(f"plan.{field}")
    assert refused.value.remedy
    refused.value.to_json()


def test_epochs_and_steps_exclude_each_other():
    with pytest.raises(Invalid, match="exclude"):
        Plan(epochs=1, steps=5)


def test_json_there_and_back():
    plan = Plan(method="dora", layers=(2, 0), parts=("mlp", "attn"), samples=("안녕",), lr=1e-3)
    assert Plan.parse(plan.to_json()) == plan
    assert plan.parts == ("attn", "mlp")
    assert plan.layers == (0, 2)


def test_layers_and_length_are_held_against_the_model():
    _, layout = small_model("LlamaForCausalLM")
    with pytest.raises(Invalid, match="3 layers") as refused:
        Plan(layers=(1, 3)).check(layout)
    assert refused.value.field == "plan.layers"
    with pytest.raises(Invalid, match="128") as refused:
        Plan(length=129).check(layout)
    assert refused.value.field == "plan.length"
    assert Plan().tokens(layout) == 128


def test_what_is_learned_from_what_keeps_a_run_from_going_on():
    plan = Plan()
    assert plan.resumes(Plan(lr=1e-5, clip=0.5, steps=9, checkpointing=True, samples=("a",))) is None
    assert plan.resumes(Plan(batch=2, accumulation=2)) is None
    assert plan.resumes(Plan(batch=2)) == "batch"
    assert plan.learns_other(Plan(batch=2)) is None
    assert plan.resumes(Plan(rank=9)) == "rank"
    assert set(FIXED) <= set(plan.to_json())


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("method", ["full", "lora", "dora", "qlora"])
@pytest.mark.parametrize("parts", [("attn",), ("mlp",), ("attn", "mlp")])
def test_the_count_is_what_really_gets_a_gradient(architecture, method, parts):
    from imfine.core.train.adapter import attach

    module, layout = small_model(architecture)
    plan = Plan(method=method, parts=parts, layers=(0, 2), rank=3)
    shapes = {name: tuple(p.shape) for name, p in module.named_parameters()}
    counted = trainable(layout, shapes, plan)
    module.requires_grad_(False)
    if method == "full":
        for target in targets(layout, plan):
            for parameter in module.get_submodule(target.module).parameters():
                parameter.requires_grad_(True)
    else:
        attach(module, layout, plan, "small")
    open_ = [p for p in module.parameters() if p.requires_grad]
    assert (counted.parameters, counted.tensors) == (sum(p.numel() for p in open_), len(open_))
    assert counted.share == pytest.approx(counted.parameters / sum(map(math.prod, shapes.values())))


def test_the_parts_of_gpt2_are_not_mixed_up():
    _, layout = small_model("GPT2LMHeadModel")
    found = [target.module for target in targets(layout, Plan(parts=("attn",), layers=(1,)))]
    assert found == ["transformer.h.1.attn.c_attn", "transformer.h.1.attn.c_proj"]


@pytest.mark.parametrize("schedule", ["cosine", "linear", "constant"])
def test_after_the_warm_up_the_schedule_is_transformers(schedule):
    import torch
    from transformers import get_scheduler

    plan, steps, warmup = Plan(schedule=schedule, warmup=0.1, lr=0.02), 50, 5
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.02)
    name = "constant_with_warmup" if schedule == "constant" else schedule
    theirs = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=steps)
    for step in range(steps):
        if step >= warmup:
            assert learning_rate(plan, step, steps) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()
    assert [learning_rate(plan, step, steps) for step in range(warmup)] == pytest.approx(
        [0.004, 0.008, 0.012, 0.016, 0.02]
    )
