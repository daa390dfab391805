"""Single files load as their folders do: every tensor, one picture, every dtype; made once, kept whole."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from PIL import Image
from safetensors.torch import load_file, save_file
from single_files import save_pair, with_metadata
from small_pictures import KINDS, loaded

from imfine.core.bake import bake
from imfine.core.events import Phase, Picture
from imfine.core.image.generate import ImageRequest, ImageSampling, Lane, generate
from imfine.core.image.model import parts
from imfine.core.models import catalog, single_file
from imfine.core.models.folders import read_origin
from imfine.core.models.load import load
from imfine.core.models.local import read_local
from imfine.core.models.pictures import read_configs
from imfine.core.models.single_file import read_single_file
from imfine.core.models.weights import read_folder
from imfine.core.recipe import Recipe
from imfine.errors import ModelBroken, ModelRefused, UnsupportedArchitecture
from imfine.settings import settings

SIZES = {"sd1": "1.x", "sd2": "2.x", "sdxl": "XL"}
PIPELINES: dict[str, Any] = {
    "sd1": StableDiffusionPipeline,
    "sd2": StableDiffusionPipeline,
    "sdxl": StableDiffusionXLPipeline,
}
Pairs = dict[str, tuple[Path, Path]]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, clip_tokenizer: Path) -> Pairs:
    home = tmp_path_factory.mktemp("pairs")
    return {kind: save_pair(kind, home, clip_tokenizer) for kind in KINDS}


@pytest.fixture
def shelf(pairs: Pairs, home: Path, clip_tokenizer: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with the tokenizer, where the small models' sizes stand in place of the real ones'."""
    small = {SIZES[kind]: read_configs(folder) for kind, (folder, _) in pairs.items()}
    base = small["2.x"]["scheduler"] | {"prediction_type": "epsilon"}
    small["2.x base"] = small["2.x"] | {"scheduler": base}
    monkeypatch.setattr(single_file, "CONFIGS", small)
    (home / "converted").mkdir()
    (home / "converted" / "clip-tokenizer").symlink_to(clip_tokenizer)
    return home


def drawn(model: Any) -> np.ndarray:
    asked = ImageSampling(seed=5, steps=3, guidance=4.0, previews=False)
    events = generate(model, ImageRequest((Lane("base", Recipe()),), "a photo of a cat!", asked))
    [picture] = [e for e in events if isinstance(e, Picture)]
    return np.array(Image.open(io.BytesIO(picture.png)))


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_file_is_the_same_model_as_its_folder(pairs: Pairs, shelf: Path, kind: str) -> None:
    folder, file = pairs[kind]
    one, whole = loaded(file), loaded(folder)
    for part, module in parts(whole).items():
        state = parts(one)[part].state_dict()
        assert state.keys() == module.state_dict().keys()
        for name, tensor in module.state_dict().items():
            assert torch.equal(tensor, state[name]), (part, name)
    assert one.fingerprints == whole.fingerprints
    assert one.scheduler_config == whole.scheduler_config
    assert one.layout.to_json() == whole.layout.to_json()
    assert np.array_equal(drawn(one), drawn(whole))


@pytest.mark.parametrize("kind", KINDS)
def test_diffusers_opens_what_becomes_of_it(pairs: Pairs, shelf: Path, kind: str) -> None:
    folder, file = pairs[kind]
    theirs = PIPELINES[kind].from_pretrained(str(folder), local_files_only=True)
    ours = PIPELINES[kind].from_pretrained(str(loaded(file).path), local_files_only=True)
    assert type(ours.scheduler) is type(theirs.scheduler)
    for part in ("unet", "vae", "text_encoder"):
        state = getattr(ours, part).state_dict()
        for name, tensor in getattr(theirs, part).state_dict().items():
            assert torch.equal(tensor, state[name]), (part, name)
    text = "a photo of a cat!"
    assert ours.tokenizer(text, padding="max_length").input_ids == (
        theirs.tokenizer(text, padding="max_length").input_ids
    )


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=["fp16", "bf16"])
def test_half_precision_stays_as_it_is(
    shelf: Path, tmp_path: Path, clip_tokenizer: Path, dtype: torch.dtype
) -> None:
    folder, file = save_pair("sdxl", tmp_path / "m", clip_tokenizer, dtype)
    kept, whole = loaded(file).path, read_folder(folder)
    for name, tensor in read_folder(kept).items():
        same = whole.get(name, whole.get(name.replace(".text_model.", ".")))
        assert same is not None, name
        assert (tensor.dtype, tensor.shape) == (same.dtype, same.shape), name
        assert tensor.dtype == {torch.float16: "F16", torch.bfloat16: "BF16"}[dtype]
    encoder = "text_encoder_2/model.safetensors"
    ours, theirs = load_file(kept / encoder), load_file(folder / encoder)
    assert torch.equal(ours["text_projection.weight"], theirs["text_projection.weight"])


def test_it_is_made_once_and_again_when_it_is_not_whole(pairs: Pairs, shelf: Path) -> None:
    file = str(pairs["sd1"][1])
    steps = list(load(file, dtype="float32"))
    saving = [step for step in steps if isinstance(step, Phase) and step.phase == "saving"]
    assert saving[-1].done == saving[-1].total == read_local(Path(file)).expanded_size
    kept = loaded(file).path
    assert not any(isinstance(s, Phase) and s.phase == "saving" for s in load(file, dtype="float32"))
    unet = kept / "unet" / "diffusion_pytorch_model.safetensors"
    unet.write_bytes(unet.read_bytes()[:1000])
    assert read_origin(kept) is None
    assert np.array_equal(drawn(loaded(file)), drawn(loaded(pairs["sd1"][0])))


def test_what_leaves_half_way_leaves_nothing(pairs: Pairs, shelf: Path) -> None:
    steps = load(str(pairs["sdxl"][1]), dtype="float32")
    for step in steps:
        if isinstance(step, Phase) and step.phase == "saving" and step.done:
            break
    steps.close()
    left = [path.name for path in (shelf / "converted").iterdir() if path.is_dir()]
    assert left == ["clip-tokenizer"]


def test_its_card_and_what_inspect_tells(
    pairs: Pairs, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, file = pairs["sd2"]
    monkeypatch.setenv("IMFINE_MODEL_DIRS", json.dumps([str(file.parent)]))
    settings.cache_clear()
    listed = {card.id: card for card in catalog.cards(settings())}
    card = listed["sd2.safetensors"]
    assert card == catalog.find("sd2.safetensors", settings(), any_folder=False)
    assert card.name == "sd2 (Stable Diffusion 2.x, v-prediction)"
    assert (card.ready, card.family, card.source) == (True, "stable-diffusion", "local")
    assert card.parameters == sum(t.size for t in read_folder(folder).values())
    assert listed["sd1.safetensors"].name == "sd1 (Stable Diffusion 1.x)"
    assert listed["sdxl.safetensors"].architecture == "StableDiffusionXLPipeline"
    told = catalog.inspect(str(file), settings())
    assert told["layout"]["image"]["prediction"] == "v_prediction"
    assert {name.replace(".text_model.", "."): tuple(t["shape"]) for name, t in told["tensors"].items()} == {
        name.replace(".text_model.", "."): t.shape for name, t in read_folder(folder).items()
    }
    assert catalog.layout_of(card).to_json() == told["layout"]


def test_a_bake_wants_the_folder(pairs: Pairs, shelf: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="is one file"):
        next(bake(pairs["sd1"][1], Recipe(), tmp_path / "baked"))
    list(bake(loaded(pairs["sd1"][1]).path, Recipe(), tmp_path / "baked"))
    assert np.array_equal(drawn(loaded(tmp_path / "baked")), drawn(loaded(pairs["sd1"][1])))


def test_a_cut_file_and_a_forged_header_are_told(pairs: Pairs, shelf: Path, tmp_path: Path) -> None:
    whole = pairs["sd1"][1].read_bytes()
    cut, forged = tmp_path / "cut.safetensors", tmp_path / "forged.safetensors"
    cut.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelBroken, match="cut off"):
        read_local(cut)
    forged.write_bytes((2**40).to_bytes(8, "little") + whole[8:])
    with pytest.raises(ModelBroken, match="header claims"):
        list(load(str(forged)))


def changed(file: Path, target: Path, change: Any) -> Path:
    tensors = load_file(file)
    save_file(change(tensors) or tensors, target)
    return target


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("missing", lambda t: t.pop("model.diffusion_model.out.0.bias"), "lacks conv_norm_out.bias"),
        (
            "shape",
            lambda t: t.update({"first_stage_model.encoder.conv_in.bias": torch.zeros(5)}),
            r"encoder.conv_in.bias of shape \[5\], wanted is \[16\]",
        ),
        (
            "integers",
            lambda t: t.update({"first_stage_model.encoder.conv_in.bias": torch.zeros(16).to(torch.int8)}),
            "as I8",
        ),
        (
            "more",
            lambda t: t.update({"model.diffusion_model.middle_block.1.adapter.weight": torch.zeros(5)}),
            "has mid_block.attentions.0.adapter.weight, which",
        ),
        (
            "thirds",
            lambda t: t.update(
                {"conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_bias": torch.zeros(5)}
            ),
            "does not hold 3 parts",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(
    pairs: Pairs, shelf: Path, tmp_path: Path, name: str, change: Any, said: str
) -> None:
    def applied(tensors: dict[str, torch.Tensor]) -> None:
        change(tensors)

    file = changed(pairs["sdxl"][1], tmp_path / f"{name}.safetensors", applied)
    with pytest.raises(ModelBroken, match=said):
        list(load(str(file), dtype="float32"))
    assert [path.name for path in (shelf / "converted").iterdir() if path.is_dir()] == ["clip-tokenizer"]


def test_a_tensor_no_part_knows_is_refused(pairs: Pairs, shelf: Path, tmp_path: Path) -> None:
    file = changed(
        pairs["sd1"][1],
        tmp_path / "m.safetensors",
        lambda t: t.update({"model.diffusion_model.strange.weight": torch.zeros(5)}),
    )
    with pytest.raises(UnsupportedArchitecture, match=r"e\.g\. model\.diffusion_model\.strange\.weight"):
        read_local(file)


@pytest.mark.parametrize(
    ("steps", "metadata", "kind", "prediction"),
    [
        (None, {}, "2.x", "v_prediction"),
        (220_000, {}, "2.x", "v_prediction"),
        (875_000, {}, "2.x base", "epsilon"),
        (None, {"modelspec.prediction_type": "epsilon"}, "2.x base", "epsilon"),
        (875_000, {"modelspec.prediction_type": "v"}, "2.x", "v_prediction"),
    ],
)
def test_what_a_second_generation_predicts(
    pairs: Pairs,
    shelf: Path,
    tmp_path: Path,
    steps: int | None,
    metadata: dict[str, str],
    kind: str,
    prediction: str,
) -> None:
    more = {} if steps is None else {"global_step": torch.tensor(steps)}
    file = with_metadata(pairs["sd2"][1], tmp_path / "m.safetensors", metadata, more)
    found = read_single_file(file)
    assert (found.kind, found.config["scheduler"]["prediction_type"]) == (kind, prediction)


def test_an_xl_that_says_it_predicts_v(pairs: Pairs, shelf: Path, tmp_path: Path) -> None:
    marks = {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    file = with_metadata(
        pairs["sdxl"][1], tmp_path / "m.safetensors", {"modelspec.license": "fair-ai-1.0"}, marks
    )
    model = loaded(file)
    assert model.layout.prediction == "v_prediction"
    assert model.scheduler_config["rescale_betas_zero_snr"] is True
    assert model.card.licence == "fair-ai-1.0"
    scheduler = getattr(diffusers, model.scheduler_config["_class_name"]).from_config(model.scheduler_config)
    assert scheduler.config.prediction_type == "v_prediction"
