import math

import pytest
from small_models import ARCHITECTURES, CONFIGS, small_model

from imfine.core.families import layout
from imfine.core.manifest import manifest
from imfine.core.recipe import Recipe
from imfine.errors import ModelBroken, RecipeError

SMOLLM2 = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 8192,
    "vocab_size": 49152,
    "tie_word_embeddings": True,
}


def smollm2_tensors() -> dict[str, tuple[int, ...]]:
    tensors: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (49152, 576),
        "model.norm.weight": (576,),
    }
    for i in range(30):
        at = f"model.layers.{i}."
        tensors |= {f"{at}self_attn.{p}_proj.weight": (576, 576) for p in "qo"}
        tensors |= {f"{at}self_attn.{p}_proj.weight": (192, 576) for p in "kv"}
        tensors |= {f"{at}mlp.{p}_proj.weight": (1536, 576) for p in ("gate", "up")}
        tensors[f"{at}mlp.down_proj.weight"] = (576, 1536)
        tensors |= {f"{at}{n}_layernorm.weight": (576,) for n in ("input", "post_attention")}
    return tensors


def test_attn_and_mlp_touch_120_of_272_tensors_of_the_starter():
    told = manifest(layout(SMOLLM2), Recipe(attn=1.2, mlp=0.8), smollm2_tensors())
    assert (told["touched"], told["total"]) == (120, 272)
    touched = 30 * (576 * 576 + 2 * 192 * 576 + 1536 * 576)
    assert told["parameters"] == touched
    assert told["share"] == pytest.approx(touched / sum(math.prod(s) for s in smollm2_tensors().values()))
    assert {"name": "model.layers.3.mlp.up_proj.weight", "part": "up", "factor": 0.8} in told["tensors"]
    assert told["eps"] == []


def test_neutral_touches_nothing():
    told = manifest(layout(SMOLLM2), Recipe(bands={"attn": [1.0] * 30}), smollm2_tensors())
    assert told == {"tensors": [], "touched": 0, "total": 272, "parameters": 0, "share": 0.0, "eps": []}


def test_eps_moves_no_tensor_but_is_told_norm_by_norm():
    told = manifest(layout(SMOLLM2), Recipe(eps=2, bands={"eps": [1.0] + [0.5] * 29}), smollm2_tensors())
    assert told["touched"] == 0
    assert [move["norm"] for move in told["eps"]] == [
        "model.layers.0.input_layernorm",
        "model.layers.0.post_attention_layernorm",
    ]
    assert told["eps"][0]["from"] == 1e-5
    assert told["eps"][0]["to"] == pytest.approx(1e-4)


def test_parts_of_fused_matrices_and_single_heads():
    module, where = small_model("GPTNeoXForCausalLM")
    tensors = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    told = manifest(where, Recipe(points={"k": 0.5, "1.v.h2": 0, "1.o.h3": 2}), tensors)
    by_name = {entry["name"]: entry for entry in told["tensors"]}
    fused = "gpt_neox.layers.{}.attention.query_key_value.weight"
    assert by_name[fused.format(0)] == {"name": fused.format(0), "part": "q k v", "factors": {"k": 0.5}}
    assert by_name[fused.format(1)]["factors"] == {"k": 0.5, "v.h2": 0.0}
    assert by_name["gpt_neox.layers.1.attention.dense.weight"]["factors"] == {"o.h3": 2.0}
    assert told["touched"] == 4
    assert told["parameters"] == 3 * 48 * 48 + 8 * 48 + 48 * 8


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_row_can_tell(architecture):
    module, where = small_model(architecture)
    tensors = {name: tuple(t.shape) for name, t in module.state_dict().items()}
    recipe = Recipe(attn=1.2, mlp=0.8, eps=2, points={point: 0.5 for point in where.points})
    told = manifest(where, recipe, tensors)
    layer = [name for name in tensors if ".0." in name and name.endswith("weight")]
    assert told["touched"] == 3 * len(layer)  # every weight of every layer
    assert told["total"] == len(tensors)
    assert len(told["eps"]) == 6
    assert told["parameters"] == 3 * sum(math.prod(tensors[name]) for name in layer)


def test_a_recipe_that_does_not_fit_and_tensors_that_contradict():
    where = layout(SMOLLM2)
    with pytest.raises(RecipeError, match="llama has 30 layers"):
        manifest(where, Recipe(bands={"mlp": [1.0]}), smollm2_tensors())
    with pytest.raises(ModelBroken, match=r"no tensor model\.layers\.0\.self_attn\.q_proj\.weight"):
        manifest(where, Recipe(attn=1.2), {"model.norm.weight": (576,)})
    with pytest.raises(ModelBroken, match="its config asks for 576 along axis 0"):
        manifest(
            where, Recipe(attn=1.2), {**smollm2_tensors(), "model.layers.0.self_attn.q_proj.weight": (5, 576)}
        )


def test_names_without_the_first_word():
    where = layout({"architectures": ["GPT2LMHeadModel"], **CONFIGS["GPT2LMHeadModel"]})
    tensors = {f"h.{i}.mlp.c_fc.weight": (48, 80) for i in range(3)}
    assert manifest(where, Recipe(mlp=0.5), tensors)["tensors"][0]["name"] == "h.0.mlp.c_fc.weight"
