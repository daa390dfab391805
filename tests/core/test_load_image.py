"""The starter loads whole, and what is missing is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from imfine.core.bands import band_names
from imfine.core.models.load_image import LoadedImageModel, load_folder
from imfine.errors import ModelBroken, ModelNotFound

STARTER = Path(__file__).parents[2] / "starters" / "emoji-diffusion"


def test_bands_have_the_communitys_names() -> None:
    sd1 = band_names({"down_block_types": [""] * 4, "layers_per_block": 2})
    assert len(sd1) == 26
    assert (sd1[11], sd1[12], sd1[13], sd1[-1]) == ("IN11", "M00", "OUT00", "TE")
    assert len(band_names({"down_block_types": [""] * 3, "layers_per_block": 2})) == 20


def test_the_starter_loads_and_its_unet_runs() -> None:
    model = list(load_folder(STARTER))[-1]
    assert isinstance(model, LoadedImageModel)
    window = model.text_encoders[0].config.max_position_embeddings
    ids = model.tokenizers[0](["a red apple"], padding="max_length", max_length=window, return_tensors="pt")
    with torch.no_grad():
        words = model.text_encoders[0](ids.input_ids)[0]
        noise = model.unet(torch.zeros(1, 4, 16, 16), 10, words).sample
    assert noise.shape == (1, 4, 16, 16)
    assert noise.isfinite().all()


def test_a_folder_without_an_index_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound):
        list(load_folder(tmp_path))


def test_a_cut_weight_file_is_told(tmp_path: Path) -> None:
    broken = shutil.copytree(STARTER, tmp_path / "m")
    file = broken / "vae" / "diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:100_000])
    with pytest.raises(ModelBroken):
        list(load_folder(broken))
