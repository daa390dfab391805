"""Deltas over HTTP: a model's own are listed, adapters are given and taken away, a run may name no others."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save
from serving import Worker, write_model
from starlette.testclient import TestClient

from imfine.core.models.checksum import checksum
from imfine.server.context import Context
from imfine.settings import Settings

KEY = "base_model.model.model.layers.{}.self_attn.q_proj.lora_{}.weight"


def lora(width: int = 32, layer: int = 0) -> bytes:
    pair = {"A": np.ones((2, width), np.float32), "B": np.ones((width, 2), np.float32)}
    return save({KEY.format(layer, side): tensor for side, tensor in pair.items()})


def peft_zip(rank: int = 2) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr(
            "a/adapter_config.json", json.dumps({"peft_type": "LORA", "r": rank, "lora_alpha": 4})
        )
        packed.writestr("a/adapter_model.safetensors", lora())
    return out.getvalue()


def give(client: TestClient, data: bytes, name: str = "mine", model: str = "tiny") -> Any:
    return client.post("/api/adapters", params={"model": model, "name": name}, content=data)


def ask(client: TestClient, deltas: dict[str, Any], **more: Any) -> Any:
    body = {"kind": "generate", "model": "tiny", "prompt": "Hi", "recipe": {"deltas": deltas}, **more}
    return client.post("/api/runs", json=body)


def left(context: Context) -> list[str]:
    return sorted(each.name for each in context.adapters.root.glob("*") if not each.name.endswith(".lock"))


def train(settings: Settings, name: str = "trained") -> Path:
    """A model that says it was trained from tiny."""
    parent, folder = settings.models_dir / "tiny", settings.models_dir / name
    shutil.copytree(parent, folder)
    facts = {
        "parent": {"id": "tiny", "checksum": checksum(parent, settings.home)},
        "plan": {"method": "full", "parts": ["mlp"], "layers": [1]},
        "adapter": None,
    }
    (folder / "imfine-train.json").write_text(json.dumps(facts))
    return folder


def test_given_listed_turned_and_deleted(client: TestClient, context: Context, settings: Settings) -> None:
    assert client.get("/api/models/tiny").json()["deltas"] == []
    answer = give(client, lora())
    assert answer.status_code == 201, answer.text
    delta = {
        "id": "mine",
        "kind": "adapter",
        "method": "lora",
        "parts": ["attn"],
        "tensors": 1,
        "size": 512,
        "low": 0.0,
        "high": 2.0,
        "label": None,
    }
    found = answer.json()
    assert (found["id"], found["model"], found["delta"], found["reason"]) == ("mine", "tiny", delta, None)
    assert client.get("/api/adapters").json() == {"items": [found]}
    assert give(client, peft_zip(), "zipped").json()["delta"]["method"] == "lora"
    train(settings)
    context.catalog.forget_deltas()
    detail = client.get("/api/models/tiny").json()
    assert [each["id"] for each in detail["deltas"]] == ["trained", "mine", "zipped"]
    assert detail["parent"] is None
    assert client.get("/api/models/trained").json()["parent"] == "tiny"

    told = client.post("/api/manifest", json={"model": "tiny", "recipe": {"deltas": {"mine": 0.5}}}).json()
    assert (told["touched"], told["total"]) == (1, 38)
    assert told["tensors"][0]["part"] == "delta"
    assert told["tensors"][0]["strengths"] == {"mine": 0.5}

    for id in ("mine", "zipped"):
        assert client.delete(f"/api/adapters/{id}").status_code == 204
    assert client.delete("/api/adapters/mine").status_code == 404
    assert client.delete("/api/adapters/trained").status_code == 404
    assert left(context) == []
    assert [each["id"] for each in client.get("/api/models/tiny").json()["deltas"]] == ["trained"]


def test_a_run_carries_them_in_their_canonical_form(client: TestClient, worker: Worker) -> None:
    give(client, lora())
    bands = {"attn": [1.0, 0.5, 0.0, 1.0]}
    lane = {"name": "half", "recipe": {"deltas": {"mine": {"strength": 0.5, "bands": {"mlp": [1, 1, 1, 1]}}}}}
    answer = ask(client, {"mine": {"strength": 1, "bands": bands}}, lanes=["base", "tuned", lane])
    assert answer.status_code == 202, answer.text
    request = answer.json()["request"]
    assert request["recipe"] == {"deltas": {"mine": {"bands": bands, "strength": 1.0}}}
    assert [each["recipe"] for each in request["lanes"]] == [{}, request["recipe"], {"deltas": {"mine": 0.5}}]


def test_a_delta_that_the_model_has_not_is_named(client: TestClient, settings: Settings) -> None:
    write_model(settings.models_dir / "other")
    (settings.models_dir / "other" / "imfine.json").write_text("{}")  # other weights, by their checksum
    give(client, lora())
    answer = ask(client, {"nobody": 1})
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["field"], error["params"]["reason"]) == (
        "recipe",
        "recipe.deltas.nobody",
        "unknown_delta",
    )
    assert error["params"]["deltas"] == ["mine"]
    lanes = ["base", {"name": "x", "recipe": {"deltas": {"nobody": 1}}}]
    assert ask(client, {}, lanes=lanes).json()["error"]["field"] == "lanes.1.recipe.deltas.nobody"
    body = {"kind": "generate", "model": "other", "prompt": "Hi", "recipe": {"deltas": {"mine": 1}}}
    assert client.post("/api/runs", json=body).status_code == 422
    assert ask(client, {"mine": 0, "nobody": 0}).status_code == 202  # neutral: nothing is asked of them


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (lora(width=48), "its base_model.model.model.layers.0.self_attn.q_proj is 48 × 48"),
        (lora(layer=7), "layers.7.self_attn.q_proj"),
        (b"", "is broken"),
        (b"\x80\x04pickle", "is broken"),
        (lora()[:-5], "cut off"),
        (peft_zip()[:-9], ""),
    ],
)
def test_what_is_no_adapter_of_it_is_told_and_leaves_nothing(
    client: TestClient, context: Context, data: bytes, words: str
) -> None:
    answer = give(client, data)
    assert answer.status_code == 422, answer.text
    assert words in answer.json()["error"]["message"] + answer.json()["error"]["remedy"]
    assert left(context) == []
    assert list(context.adapters.root.glob(".upload-*")) == []


@pytest.mark.parametrize("name", ["", "../../x", "a/b", ".x", "x" * 65, "a\0b"])
def test_a_name_that_is_none(client: TestClient, name: str) -> None:
    answer = give(client, lora(), name)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "name")


def test_names_and_models_that_are_taken_or_not_there(client: TestClient) -> None:
    assert give(client, lora(), "tiny").status_code == 409
    assert give(client, lora()).status_code == 201
    assert give(client, lora()).status_code == 409
    assert give(client, lora(), "x", model="no-such-model").status_code == 404
    assert (
        give(client, lora(), "x", model="smollm2-135m").status_code == 409
    )  # not fetched: nothing to fit it to
    assert give(client, lora(), "x", model="../../etc").status_code == 422


def test_one_that_is_too_large_is_refused_before_it_is_kept(client: TestClient, context: Context) -> None:
    context.adapters.limit = 100
    answer = give(client, lora())
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")
    assert left(context) == []


def test_one_that_a_run_uses_stays(client: TestClient, worker: Worker, context: Context) -> None:
    give(client, lora(), "a 나")
    give(client, lora(), "a")
    run = ask(client, {"a 나": 0.5}).json()["id"]
    answer = client.delete("/api/adapters/a 나")
    assert (answer.status_code, answer.json()["error"]["params"]["run"]) == (409, run)
    assert client.delete("/api/adapters/a").status_code == 204  # part of the other's name
    client.post(f"/api/runs/{run}/cancel")
    assert client.delete("/api/adapters/a 나").status_code == 204
    assert left(context) == []


def test_a_model_that_a_run_turns_as_a_delta_stays(
    client: TestClient, worker: Worker, settings: Settings
) -> None:
    folder = train(settings)
    run = ask(client, {"trained": 0.5}).json()["id"]
    answer = client.delete("/api/models/trained")
    assert (answer.status_code, answer.json()["error"]["params"]["run"]) == (409, run)
    client.post(f"/api/runs/{run}/cancel")
    assert client.delete("/api/models/trained").status_code == 204
    assert not folder.exists()
