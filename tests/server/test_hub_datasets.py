"""Data sets of the Hub over HTTP, from a real server that answers as huggingface.co."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_hub import Hub, serve_hub
from starlette.testclient import TestClient

from imfine.server.context import Context

pytestmark = pytest.mark.embedded


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with serve_hub() as hub:
        for name, value in {
            "HF_ENDPOINT": hub.url,
            "HF_HOME": str(tmp_path / "hf"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_OFFLINE": "0",
        }.items():
            monkeypatch.setenv(name, value)
        yield hub


def repo(at: Path, rows: int = 3) -> Path:
    at.mkdir()
    lines = [json.dumps({"prompt": f"{i}+1?", "completion": f"{i + 1}"}) for i in range(rows)]
    (at / "train.jsonl").write_text("\n".join(lines))
    return at


def ask(client: TestClient, data: str, **more: Any) -> Any:
    return client.post("/api/datasets/hub", json={"data": data, **more})


@pytest.mark.parametrize("data", ["ann/sums", "hf://datasets/ann/sums@main"])
def test_it_comes_and_is_kept_like_the_others(
    client: TestClient, settings: Any, hub: Hub, tmp_path: Path, data: str
) -> None:
    hub.repos["ann/sums"] = repo(tmp_path / "sums")
    answer = ask(client, data)
    assert answer.status_code == 200, answer.text
    *phases, last = map(json.loads, answer.text.splitlines())
    assert all(step["phase"]["phase"] in ("downloading", "loading") for step in phases)
    assert (last["dataset"]["rows"], last["dataset"]["format"]) == (3, "prompt_completion")
    assert client.get("/api/datasets").json()["items"] == [last["dataset"]]


@pytest.mark.parametrize(
    ("data", "status", "says"),
    [
        ("ann/none", 404, "ann/none"),
        ("../etc/passwd", 422, "is not the name of a data set"),
        ("/etc/hosts", 422, "is not the name of a data set"),
        ("ann/tree", 422, "no file of data"),
    ],
)
def test_what_cannot_be_had_is_told_and_leaves_nothing(
    client: TestClient, context: Context, hub: Hub, tmp_path: Path, data: str, status: int, says: str
) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a.bin").write_bytes(b"0")
    hub.repos["ann/tree"] = tmp_path / "tree"
    answer = ask(client, data)
    assert answer.status_code == status, answer.text
    assert says in answer.json()["error"]["message"]
    assert client.get("/api/datasets").json()["items"] == []
    assert not any(path.is_dir() for path in context.datasets.root.glob("*"))


def test_what_goes_wrong_on_the_way_is_the_last_line(
    client: TestClient, context: Context, hub: Hub, tmp_path: Path
) -> None:
    hub.repos["gated/sums"] = repo(tmp_path / "gated")
    hub.gated.add("gated/sums")  # its files; what is in it, anybody may see
    [*_, last] = map(json.loads, ask(client, "gated/sums").text.splitlines())
    assert (last["error"]["code"], last["error"]["field"]) == ("model_gated", "data")
    assert client.get("/api/datasets").json()["items"] == []
    assert not any(path.is_dir() for path in context.datasets.root.glob("*"))


def test_more_than_may_be_given_is_not_fetched(
    client: TestClient, context: Context, hub: Hub, tmp_path: Path
) -> None:
    hub.repos["ann/sums"] = repo(tmp_path / "sums")
    context.datasets.limit = 20
    answer = ask(client, "ann/sums")
    assert answer.status_code == 413, answer.text
    assert not [path for path in hub.asked if "resolve" in path]


def test_without_a_network(client: TestClient) -> None:
    """The tests' own setting."""
    answer = ask(client, "ann/sums")
    assert (answer.status_code, answer.json()["error"]["code"]) == (424, "no_network")


def test_a_table_whose_columns_are_not_known(client: TestClient, hub: Hub, tmp_path: Path) -> None:
    folder = tmp_path / "table"
    folder.mkdir()
    (folder / "a.csv").write_text("frage,antwort\n1+1,2\n2+2,4\n")
    hub.repos["ann/table"] = folder
    answer = ask(client, "ann/table")
    said = json.loads(answer.text.splitlines()[-1])["error"]
    assert said["params"]["columns"] == ["frage", "antwort"]
    answer = ask(client, "ann/table", columns="prompt=frage,completion=antwort")
    assert json.loads(answer.text.splitlines()[-1])["dataset"]["rows"] == 2
