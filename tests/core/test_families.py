import pytest
from small_models import ARCHITECTURES, CONFIGS, small_model

from imfine.core.families import FAMILIES, family_for, layout, tensor_name
from imfine.core.families.text import TEXT
from imfine.errors import ModelBroken, UnsupportedArchitecture

LLAMA_2_7B = {
    "architectures": ["LlamaForCausalLM"],
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 4096,
    "vocab_size": 32000,
}


def test_the_table_names_every_architecture_once():
    assert len({row.architecture for row in FAMILIES}) == len(FAMILIES) == 10
    assert {row.family for row in FAMILIES} == {"llama", "gpt", "stable-diffusion"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_module_and_tensor_of_a_row_exists(architecture):
    module, where = small_model(architecture)
    tensors = module.state_dict()
    for band in where.bands:
        for name, weight in band.matrices:
            assert tensor_name(name, tensors) == f"{name}.weight"
            shape = tensors[f"{name}.weight"].shape
            out_axis = 1 if where.transposed else 0
            cut = shape[1 - out_axis] if weight.heads == "in" else shape[out_axis]
            assert sum(segment.size for segment in where.segments[weight]) == cut
        for norm in (*band.norms, *band.point_norms.values()):
            eps = getattr(module.get_submodule(norm), where.eps_attr)
            assert eps == where.eps


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_layout_agrees_with_transformers(architecture):
    module, where = small_model(architecture)
    config = module.config
    assert where.architecture == architecture
    assert where.layers == config.num_hidden_layers == 3
    assert where.heads == config.num_attention_heads == 6
    assert where.hidden_size == config.hidden_size
    assert where.vocab_size == config.vocab_size
    assert where.context_length == config.max_position_embeddings
    assert where.kv_heads == getattr(config, "num_key_value_heads", where.heads)
    assert where.head_dim == getattr(config, "head_dim", config.hidden_size // config.num_attention_heads)
    assert where.tied_embeddings == config.tie_word_embeddings
    assert where.intermediate_size == 80


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_silent_configs_mean_what_transformers_takes(architecture):
    from transformers import AutoConfig

    row = next(row for row in TEXT if row.architecture == architecture)
    config = AutoConfig.for_model(row.model_type)
    sizes = ("num_hidden_layers", "num_attention_heads", "hidden_size", "intermediate_size")
    said = {key: getattr(config, key) for key in sizes if hasattr(config, key)}
    said = {row.keys.get(key, key): value for key, value in said.items()}
    where = layout({"architectures": [architecture], **said})
    assert where.eps == getattr(config, row.keys["eps"])
    assert where.vocab_size == config.vocab_size
    assert where.context_length == config.max_position_embeddings
    assert where.tied_embeddings == config.tie_word_embeddings
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    assert where.head_dim == head_dim
    assert where.kv_heads == (getattr(config, "num_key_value_heads", None) or where.heads)


def test_points_heads_and_limits():
    where = layout(LLAMA_2_7B)
    assert where.points == ("q", "k", "v", "o", "gate", "up", "down", "norm")
    assert where.eps_knob_max == pytest.approx(5)
    assert [where.heads_of(point) for point in where.points] == [32, 32, 32, 32, 0, 0, 0, 0]
    gpt2 = layout({"architectures": ["GPT2LMHeadModel"]})
    assert gpt2.points == ("q", "k", "v", "o", "up", "down", "norm")
    assert gpt2.intermediate_size == 3072
    qwen3 = layout({"architectures": ["Qwen3ForCausalLM"], **CONFIGS["Qwen3ForCausalLM"]})
    assert qwen3.qk_norm
    assert [qwen3.heads_of(point) for point in "qkvo"] == [0, 0, 2, 6]
    assert layout(LLAMA_2_7B, {"model.layers.3.input_layernorm": 1e-3}).eps_knob_max == pytest.approx(3)


def test_checkpoints_of_the_bare_model_leave_out_the_first_word():
    assert tensor_name("transformer.h.0.ln_1", {"h.0.ln_1.weight": ()}) == "h.0.ln_1.weight"
    assert tensor_name("transformer.h.0.ln_1", {}) is None


def test_the_model_type_decides_where_no_architecture_is_named():
    assert family_for({"model_type": "qwen2"}).architecture == "Qwen2ForCausalLM"


@pytest.mark.parametrize(
    "config",
    [{"architectures": ["T5ForConditionalGeneration"]}, {"model_type": "mamba"}, {}, {"architectures": 7}],
)
def test_an_architecture_outside_the_table_is_named_with_what_is_supported(config):
    with pytest.raises(UnsupportedArchitecture) as caught:
        family_for(config)
    assert caught.value.params["supported"] == [row.architecture for row in FAMILIES]
    assert "LlamaForCausalLM" in str(caught.value)
    for named in config.get("architectures") or [] if isinstance(config.get("architectures"), list) else []:
        assert named in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_hidden_layers": None},
        {"num_hidden_layers": 10**9},
        {"num_attention_heads": 0},
        {"hidden_size": "4096"},
        {"hidden_size": True},
        {"num_key_value_heads": 5},
        {"rms_norm_eps": 0},
        {"rms_norm_eps": float("nan")},
        {"rms_norm_eps": "1e-5"},
    ],
)
def test_a_malformed_config_is_told(wrong):
    with pytest.raises(ModelBroken, match=next(iter(wrong))):
        layout({**LLAMA_2_7B, **wrong})


@pytest.mark.parametrize("norm_eps", [{"model.layers.3.input_layernorm": 0}, {"model.norm": 1e-3}])
def test_a_malformed_imfine_json_is_told(norm_eps):
    with pytest.raises(ModelBroken, match=r"imfine\.json"):
        layout(LLAMA_2_7B, norm_eps)
