"""Data sets over HTTP: streamed in, read by a child, kept once or not at all; shown as a model reads them."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from serving import CONFIG, TOKEN, Queue, Running, until, write_model
from starlette.testclient import TestClient
from store_runs import put_run

from imfine.core.models.known import SHIPPED
from imfine.server import child, datasets, uploads
from imfine.server.context import Context
from imfine.settings import Settings

ROWS = [{"question": "1+1?", "answer": "2", "id": 1}, {"question": "Who?", "answer": "Me 나 🎉"}] * 2
DATA = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ROWS).encode()


def give(client: Any, data: Any = DATA, name: str = "d.jsonl", **query: str) -> Any:
    return client.post("/api/datasets", params={"name": name, **query}, content=data)


def left(context: Context) -> list[str]:
    return sorted(path.name for path in context.datasets.root.glob("*"))


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        for name, data in members.items():
            packed.writestr(name.replace("_", "."), data)
    return out.getvalue()


def png(red: int = 0) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 6), (red, 0, 0)).save(out, "PNG")
    return out.getvalue()


@pytest.fixture
def reader(settings: Settings) -> str:
    """The tiny model with the GPT-2 starter's tokenizer."""
    folder = settings.home / "models" / "reader"
    write_model(folder)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(SHIPPED / "gpt2-classics" / name, folder)
    return "reader"


def test_given_listed_shown_and_deleted(client: TestClient, context: Context) -> None:
    answer = give(client)
    assert answer.status_code == 201, answer.text
    found = answer.json()
    assert (found["name"], found["kind"], found["format"], found["rows"]) == (
        "d.jsonl",
        "text",
        "prompt_completion",
        4,
    )
    assert found["columns"] == {"prompt": "question", "completion": "answer"}
    assert {each["code"]: each["lines"] for each in found["findings"]} == {
        "duplicates": [3, 4],
        "unused_fields": [],
    }
    again = give(client, b"\xef\xbb\xbf" + DATA, name="other.json")  # the same rows
    assert again.json() == found
    assert client.get("/api/datasets").json() == {"items": [found]}
    path = f"/api/datasets/{found['id']}"
    assert client.get(path).json() == found
    assert left(context) == [found["id"]]
    assert client.delete(path).status_code == 204
    assert client.delete(path).status_code == 404
    assert client.get(path).status_code == 404
    assert client.get(f"{path}/preview").status_code == 404
    assert client.get("/api/datasets").json() == {"items": []}
    assert left(context) == []
    assert give(client).json()["id"] == found["id"]


def test_columns_are_mapped(client: TestClient) -> None:
    answer = give(client, b"a,b\n1,once\n2,upon\n", name="t.csv", columns="text=b")
    assert answer.json()["format"] == "text"
    assert give(client, b"a,b\n1,once\n", name="t.csv").json()["error"]["field"] == "columns"
    for columns in ("text", "text=z", "=", ""):
        answer = give(client, b"a,b\n1,once\n", name="t.csv", columns=columns)
        assert (answer.status_code, answer.json()["error"]["field"]) == (422, "columns"), columns


def test_what_cannot_be_read_is_named_by_line_and_field(client: TestClient, context: Context) -> None:
    answer = give(client, DATA * 20_000 + b'{"question":"x","answer":7}\n')
    assert answer.status_code == 422
    error = answer.json()["error"]
    assert (error["code"], error["field"], error["params"]["line"]) == ("data", "answer", 80_001)
    assert error["params"]["errors"] == [
        {"file": None, "line": 80_001, "field": "answer", "expected": "text", "found": "a number"}
    ]
    assert left(context) == []


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "nothing to train on"),
        (b"%PDF-1.7", "PDF"),
        (zipped(a_txt=b"x")[:-9], "damaged"),
        (zipped(a_png=b"a text"), "none of 1 pictures"),
    ],
)
def test_what_is_no_data_is_refused(client: TestClient, context: Context, data: bytes, words: str) -> None:
    answer = give(client, data, name="d")
    assert answer.status_code == 422
    assert words in answer.json()["error"]["message"]
    assert left(context) == []


@pytest.mark.parametrize("name", ["", "x" * 201, "a\0b", "a\nb"])
def test_a_name_that_is_none(client: TestClient, name: str) -> None:
    answer = give(client, name=name)
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "name")


@pytest.mark.parametrize("name", ["../../../etc/passwd", "/etc/passwd", "%2e%2e/x", "글 😀.jsonl"])
def test_a_name_leads_nowhere(client: TestClient, context: Context, name: str) -> None:
    found = give(client, name=name).json()
    assert found["name"] == name
    assert left(context) == [found["id"]]


# ---------------------------------------------------------------- limits and accidents


@pytest.fixture
def small(settings: Settings) -> Iterator[Running]:
    running = Running(settings.model_copy(update={"upload_limit_gib": 1 / 1024}), Queue())
    yield running
    running.stop()


def test_too_large_is_refused_before_it_is_spooled(small: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any) -> None:
        raise AssertionError("it was spooled")

    monkeypatch.setattr(datasets.Upload, "__init__", never)
    answer = give(small.http, b"x" * ((1 << 20) + 1))
    assert answer.status_code == 413
    error = answer.json()["error"]
    assert (error["code"], error["params"]["limit_bytes"]) == ("too_large", 1 << 20)


def test_a_body_of_unknown_size_is_stopped_at_the_limit(small: Running) -> None:
    sent = 0

    def parts() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(40):
            sent += 1
            yield b"x" * (1 << 16)

    assert give(small.http, parts()).status_code == 413
    assert left(small.server.context) == []
    assert give(small.http).status_code == 201


def test_an_upload_that_is_cut_off_leaves_nothing(running: Running) -> None:
    root = running.server.context.datasets.root
    with socket.create_connection(("127.0.0.1", running.port)) as sender:
        head = (
            f"POST /api/datasets?name=d.jsonl HTTP/1.1\r\nHost: 127.0.0.1:{running.port}\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(DATA)}\r\n\r\n"
        )
        sender.sendall(head.encode() + DATA[:30])
        until(lambda: list(root.glob("*")))
    until(lambda: not list(root.glob("*")))
    assert give(running.http).status_code == 201


@pytest.mark.parametrize("step", ["spool", "child"])
def test_a_full_disk_is_said_and_leaves_nothing(
    client: TestClient, context: Context, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    if step == "spool":

        class Full(io.BytesIO):
            def write(self, _part: Any) -> int:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        opened = os.fdopen
        monkeypatch.setattr(
            uploads.os, "fdopen", lambda handle, mode: (opened(handle, mode).close(), Full())[1]
        )
    else:
        store = context.datasets.store

        def elsewhere(*args: Any) -> Any:
            monkeypatch.setattr(context.datasets, "root", Path("/proc"))
            return store(*args)

        monkeypatch.setattr(context.datasets, "store", elsewhere)
    answer = give(client)
    assert (answer.status_code, answer.json()["error"]["code"]) == (507, "not_kept")
    monkeypatch.undo()
    assert left(context) == []
    assert give(client).status_code == 201


def test_what_a_killed_server_left_is_cleared_away(settings: Settings, queue: Queue) -> None:
    root = settings.home / "datasets"
    whole = root / ("a" * 64)
    for folder in (root / f"{datasets.GONE}x", root / f".making-{2**22 + 1}-x", whole):
        folder.mkdir(parents=True)
    (root / f"{uploads.PREFIX}x").write_bytes(b"x")
    Running(settings, queue).stop()
    assert list(root.iterdir()) == [whole]


def test_a_child_that_dies_or_never_ends_is_said(
    client: TestClient, context: Context, monkeypatch: Any
) -> None:
    found = give(client).json()
    monkeypatch.setattr(datasets, "SHOW_S", 0.05)
    answer = client.get(f"/api/datasets/{found['id']}/preview")
    assert (answer.status_code, "longer than" in answer.json()["error"]["message"]) == (422, True)
    monkeypatch.setattr(datasets, "SHOW_S", 30)
    started = subprocess.Popen

    def killed(*args: Any, **more: Any) -> Any:
        process = started(*args, **more)
        process.kill()
        return process

    monkeypatch.setattr(child.subprocess, "Popen", killed)
    answer = give(client)
    assert (answer.status_code, "signal 9" in answer.json()["error"]["message"]) == (422, True)
    assert left(context) == [found["id"]]


def test_the_child_ends_with_who_asked_it(tmp_path: Path) -> None:
    file = tmp_path / "d.jsonl"
    file.write_bytes(json.dumps({"text": "x" * 100}).encode() + b"\n")
    file.write_bytes(file.read_bytes() * 600_000)  # some seconds of work
    child = subprocess.Popen([sys.executable, "-m", "imfine.core.data"], stdin=subprocess.PIPE)
    assert child.stdin is not None
    task = {"task": "store", "file": str(file), "root": str(tmp_path / "d"), "name": "x", "columns": None}
    child.stdin.write(json.dumps(task).encode() + b"\n")
    child.stdin.flush()
    until(lambda: list(tmp_path.glob("d/.making-*")))
    child.stdin.close()
    assert child.wait(5) == 1
    assert not list(tmp_path.glob("d/[0-9a-f]*"))


def test_data_that_fill_the_memory_end_the_child_alone(
    client: TestClient, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = subprocess.Popen
    code = "import imfine.core.data.__main__ as child; child.MEMORY = 1 << 27; child.main()"

    def bounded(_words: Any, **more: Any) -> Any:
        return started([sys.executable, "-c", code], **more)

    monkeypatch.setattr(child.subprocess, "Popen", bounded)
    answer = give(client, json.dumps({"text": "x" * 12_000_000}).encode())
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "out_of_memory")
    assert left(context) == []


@pytest.mark.slow
def test_others_are_served_and_memory_stays_while_much_is_read(running: Running) -> None:
    row = json.dumps({"text": "All happy families are alike. " * 30}).encode() + b"\n"
    size, done = 64 << 20, []

    def parts() -> Iterator[bytes]:
        for i in range(size // (len(row) * 1000)):
            yield row * 1000 + json.dumps({"text": str(i)}).encode() + b"\n"

    with running.http.stream("GET", "/healthz"):
        pass
    before = peak()
    thread = threading.Thread(target=lambda: done.append(give(running.http, parts())))
    thread.start()
    took: list[float] = []
    while thread.is_alive():
        began = time.monotonic()
        assert running.http.get("/healthz").status_code == 200
        took.append(time.monotonic() - began)
        time.sleep(0.02)
    assert done[0].status_code == 201, done[0].text
    assert done[0].json()["bytes"] > size * 0.99
    took.sort()
    assert took[len(took) * 95 // 100] < 0.25, took[-10:]  # its loop is never held up; the machine may be
    assert peak() - before < 40 << 10, "KiB of this process: server and client"


def peak() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1])
    raise AssertionError


# ---------------------------------------------------------------- previews


def test_a_preview_with_and_without_a_model(client: TestClient, reader: str) -> None:
    path = f"/api/datasets/{give(client).json()['id']}/preview"
    shown = client.get(path).json()
    assert shown["tokens"] is None
    assert [row["pieces"] for row in shown["rows"]][:1] == [
        [{"text": "1+1?", "trained": False}, {"text": "\n2", "trained": True}]
    ]
    shown = client.get(path, params={"model": reader, "rows": 1, "length": 7}).json()
    assert [row["pieces"] for row in shown["rows"]] == [
        [{"text": "1+1?", "trained": False}, {"text": "\n2<|endoftext|>", "trained": True}]
    ]
    tokens = shown["tokens"]
    assert (tokens["rows"], tokens["length"]) == (4, 7)
    assert [each["code"] for each in tokens["findings"]] == ["too_long"]
    assert client.get(path, params={"model": reader}).json()["tokens"]["length"] == 512


def test_previews_that_cannot_be(client: TestClient, reader: str) -> None:
    path = f"/api/datasets/{give(client).json()['id']}/preview"
    for query, status in (
        ({"model": "tiny"}, 422),  # its tokenizer is broken
        ({"model": "none"}, 404),
        ({"model": "../../etc"}, 422),
        ({"model": "smollm2-135m"}, 409),  # not fetched here
        ({"rows": "0"}, 422),
        ({"rows": "21"}, 422),
        ({"length": "0"}, 422),
    ):
        answer = client.get(path, params=query)
        assert answer.status_code == status, (query, answer.text)
        assert answer.json()["error"]["remedy"]


def test_pictures(client: TestClient, reader: str) -> None:
    data = zipped(a_png=png(), a_txt=b"a dog", b_png=png(9), b_txt="고양이".encode(), c_png=b"text")
    found = give(client, data, name="pictures.zip").json()
    assert (found["kind"], found["rows"], found["sizes"]) == (
        "image",
        2,
        {"smallest": [8, 6], "largest": [8, 6]},
    )
    assert [each["code"] for each in found["findings"]] == ["skipped_files"]
    path = f"/api/datasets/{found['id']}"
    shown = client.get(f"{path}/preview").json()["rows"]
    assert [row["pieces"][0]["text"] for row in shown] == ["a dog", "고양이"]
    assert client.get(f"{path}/preview").json()["pictures"] is None
    counted = client.get(f"{path}/preview", params={"pixels": 8}).json()["pictures"]
    assert (counted["rows"], counted["captioned"], counted["pixels"]) == (2, 2, 8)
    [small] = counted["findings"]
    assert (small["code"], small["params"]) == ("too_small", {"pixels": 8, "rows": 2, "count": 2})
    assert client.get(f"{path}/preview", params={"pixels": 7}).json()["error"]["field"] == "pixels"
    picture = client.get(shown[0]["picture"]["url"])
    assert (picture.status_code, picture.content) == (200, png())
    assert picture.headers["content-type"] == "image/png"
    for name, status in (("0" * 64 + ".png", 404), ("..%2fdataset.json", 404), ("x.png", 422)):
        assert client.get(f"{path}/pictures/{name}").status_code == status
    answer = client.get(f"{path}/preview", params={"model": reader})
    assert (answer.status_code, answer.json()["error"]["field"]) == (422, "model")


# ---------------------------------------------------------------- in use


@pytest.mark.parametrize(("state", "status"), [("queued", 409), ("running", 409), ("failed", 204)])
def test_a_data_set_that_a_run_uses_stays(
    client: TestClient, context: Context, state: str, status: int
) -> None:
    id = give(client).json()["id"]
    put_run(context.store, "0" * 26, "train", state, json.dumps({"data": [id]}))
    answer = client.delete(f"/api/datasets/{id}")
    assert answer.status_code == status
    if status == 409:
        assert answer.json()["error"]["params"]["run"] == "0" * 26
        assert client.get(f"/api/datasets/{id}/preview").status_code == 200


def test_many_at_once_and_one_of_each_is_kept(client: TestClient, context: Context) -> None:
    answers: list[Any] = []
    threads = [threading.Thread(target=lambda: answers.append(give(client))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {(answer.status_code, answer.json()["id"]) for answer in answers} == {
        (201, answers[0].json()["id"])
    }
    assert left(context) == [answers[0].json()["id"]]


@pytest.mark.parametrize(("method", "path"), [("POST", "?name=x"), ("GET", ""), ("DELETE", f"/{'a' * 64}")])
def test_a_stranger_hears_401_first(client: TestClient, context: Context, method: str, path: str) -> None:
    answer = client.request(
        method, f"/api/datasets{path}", headers={"Authorization": "Bearer no"}, content=b"x" * 1000
    )
    assert answer.status_code == 401
    assert left(context) == []


def test_a_stopping_server_ends_what_is_read(settings: Settings, queue: Queue) -> None:
    running = Running(settings, queue)
    row = json.dumps({"text": "x" * 100}).encode() + b"\n"
    answers: list[Any] = []

    def ask() -> None:
        answers.append(give(running.http, row * 600_000))

    thread = threading.Thread(target=ask)
    thread.start()
    until(lambda: running.server.context.datasets._children)
    running.server.should_exit = True
    running.thread.join(8)
    assert not running.thread.is_alive()
    thread.join(5)
    assert answers[0].status_code == 503
    assert not [path for path in running.server.context.datasets.root.glob(f"{uploads.PREFIX}*")]
