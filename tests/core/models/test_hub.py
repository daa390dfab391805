"""The Hub, as a real server on this machine that answers as huggingface.co does:
fetched, refused, told apart.

The command line runs in processes of its own, whose HF_ENDPOINT is that server.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from gguf_files import write
from model_folders import edit_config, save_model

COMMIT = "5e1f" * 10


@dataclass
class Hub:
    """Repositories by name: their files, and how the Hub behaves for each."""

    url: str = ""
    repos: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    cut: int | None = None  # ends each answer after so many bytes


def answer(hub: Hub, handler: BaseHTTPRequestHandler) -> None:
    hub.asked.append(f"{handler.command} {handler.path.partition('?')[0]}")
    path = handler.path.partition("?")[0]
    if match := re.fullmatch(r"/api/models/([\w.-]+/[\w.-]+)(?:/revision/(.+))?", path):
        repo, revision = match[1], match[2]
        if repo not in hub.repos:
            return refuse(handler, 401, "RepoNotFound", "Invalid username or password.")
        if revision not in (None, "main", COMMIT):
            return refuse(handler, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return send(handler, json.dumps(described(hub, repo)).encode(), "application/json")
    if match := re.fullmatch(r"/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", path):
        repo, revision, name = match.groups()
        if repo not in hub.repos:
            return refuse(handler, 401, "RepoNotFound", "Invalid username or password.")
        if repo in hub.gated and handler.headers.get("Authorization") != "Bearer hf_good":
            return refuse(handler, 401, "GatedRepo", f"Access to model {repo} is restricted.")
        file = hub.repos[repo] / name
        if not file.is_file():
            return refuse(handler, 404, "EntryNotFound", "Entry not found")
        return send(handler, file.read_bytes(), "application/octet-stream", hub.cut)
    return refuse(handler, 404, "", "no such page")


def described(hub: Hub, repo: str) -> dict[str, Any]:
    files = sorted(hub.repos[repo].iterdir())
    return {
        "_id": "1",
        "id": repo,
        "modelId": repo,
        "sha": COMMIT,
        "private": False,
        "gated": "manual" if repo in hub.gated else False,
        "downloads": 1,
        "likes": 1,
        "tags": [],
        "cardData": {"license": "mit", "language": ["en", "ko"]},
        "siblings": [{"rfilename": file.name, "size": file.stat().st_size, "blobId": "x"} for file in files],
    }


def send(handler: BaseHTTPRequestHandler, body: bytes, kind: str, cut: int | None = None) -> None:
    start = int((re.match(r"bytes=(\d+)-", handler.headers.get("Range", "")) or [0, 0])[1])
    handler.send_response(206 if start else 200)
    handler.send_header("Content-Type", kind)
    handler.send_header("ETag", f'"{hashlib.sha1(body).hexdigest()}"')
    handler.send_header("X-Repo-Commit", COMMIT)
    handler.send_header("Accept-Ranges", "bytes")
    if start:
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    handler.send_header("Content-Length", str(len(body) - start))
    handler.end_headers()
    if handler.command != "HEAD":
        handler.wfile.write(body[start : None if cut is None else start + cut])


def refuse(handler: BaseHTTPRequestHandler, status: int, code: str, message: str) -> None:
    handler.send_response(status)
    handler.send_header("X-Error-Code", code)
    handler.send_header("X-Error-Message", message)
    handler.send_header("Content-Length", "0")
    handler.end_headers()


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(hub, self)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.url = f"http://127.0.0.1:{server.server_port}"
    yield hub
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass
class Said:
    code: int
    out: str
    err: str


def imfine(*words: str, hub: Hub | None = None, **environment: str) -> Said:
    own = {"HF_ENDPOINT": hub.url if hub else "http://127.0.0.1:9", "HF_HUB_DISABLE_XET": "1", **environment}
    done = subprocess.run(
        [sys.executable, "-c", "from imfine.cli import main; main()", *words],
        env={**os.environ, **own},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def tiny(hub: Hub, home: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "remote"
    save_model(folder)
    (folder / "pytorch_model.bin").write_bytes(b"cposix\nsystem\n")
    (folder / "evil.py").write_text("raise SystemExit")
    (folder / "consolidated.safetensors").write_bytes(b"the same weights once more")
    (folder / "README.md").write_text("---\nlicense: mit\nlanguage: ko\n---")
    hub.repos["me/tiny"] = folder
    return folder


def test_a_model_is_fetched_once_with_its_safe_files_only(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    said = imfine("pull", "me/tiny", hub=hub)
    assert said.code == 0, said.err
    assert "Fetching" in said.err
    snapshot = tmp_path / "hf" / "hub" / "models--me--tiny" / "snapshots" / COMMIT
    assert f"me/tiny is ready in {snapshot}" in said.out
    names = {file.name for file in snapshot.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md"} <= names
    assert not names & {"pytorch_model.bin", "evil.py", "consolidated.safetensors"}
    hub.asked.clear()
    again = imfine("pull", "me/tiny", hub=hub)
    assert again.code == 0
    assert hub.asked == []
    offline = imfine("inspect", "me/tiny", "--json", HF_HUB_OFFLINE="1")
    card = json.loads(offline.out)["card"]
    assert (card["ready"], card["revision"], card["languages"]) == (True, COMMIT, ["ko"])


def test_a_card_is_told_before_the_weights_come(hub: Hub, tiny: Path) -> None:
    told = json.loads(imfine("inspect", "me/tiny", "--json", hub=hub).out)
    assert told["card"]["languages"] == ["en", "ko"]
    assert told["card"]["download_size"] >= (tiny / "model.safetensors").stat().st_size
    assert told["layout"]["layers"] == 3
    assert not any("safetensors" in line for line in hub.asked)


def test_a_download_that_breaks_off_goes_on_where_it_was(hub: Hub, tiny: Path) -> None:
    size = (tiny / "model.safetensors").stat().st_size
    hub.cut = size // 2 + 1  # larger than every other file's rest
    imfine("pull", "me/tiny", hub=hub)
    hub.cut = None
    assert imfine("pull", "me/tiny", hub=hub).code == 0


def test_what_does_not_exist_what_is_gated_and_no_network_are_three_errors(hub: Hub, tiny: Path) -> None:
    absent = imfine("pull", "me/absent", hub=hub)
    assert absent.code == 2
    assert "the Hub has no model me/absent" in absent.err
    revision = imfine("pull", "me/tiny@nosuch", hub=hub)
    assert revision.code == 2
    assert "me/tiny has no revision nosuch" in revision.err
    hub.gated.add("me/tiny")
    gated = imfine("pull", "me/tiny", hub=hub)
    assert gated.code == 1
    assert "me/tiny asks you to accept its terms first" in gated.err
    assert f"{hub.url}/me/tiny" in gated.err
    assert "HF_TOKEN" in gated.err
    assert imfine("pull", "me/tiny", hub=hub, HF_TOKEN="hf_good").code == 0
    away = imfine("pull", "me/other")
    assert away.code == 1
    assert "cannot be reached" in away.err
    off = imfine("pull", "me/other", hub=hub, HF_HUB_OFFLINE="1")
    assert off.code == 1
    assert "switched off by HF_HUB_OFFLINE" in off.err


def test_code_and_pickles_are_refused_before_any_weights_come(hub: Hub, tiny: Path) -> None:
    edit_config(tiny, auto_map={"AutoModelForCausalLM": "evil.Model"})
    code = imfine("pull", "me/tiny", hub=hub)
    assert code.code == 2
    assert "auto_map" in code.err
    (tiny / "model.safetensors").unlink()
    (tiny / "consolidated.safetensors").unlink()
    pickles = imfine("pull", "me/tiny", hub=hub)
    assert pickles.code == 2
    assert "pickled" in pickles.err
    assert not any(".safetensors" in line or ".bin" in line or ".py" in line for line in hub.asked)


def test_memory_is_checked_before_any_weights_come(hub: Hub, tiny: Path) -> None:
    said = imfine("pull", "me/tiny", hub=hub, IMFINE_MEMORY_BUDGET_GIB="0.1")
    assert said.code == 1
    assert "needs 0.3 GB of memory" in said.err
    assert not any("safetensors" in line for line in hub.asked)


def test_a_gguf_is_fetched_when_it_is_named(hub: Hub, tiny: Path, tmp_path: Path) -> None:
    write(tiny / "tiny.gguf")
    before = imfine("inspect", "me/tiny/tiny.gguf", hub=hub)
    assert before.code == 2
    assert "run imfine pull me/tiny/tiny.gguf" in before.err
    said = imfine("pull", "me/tiny/tiny.gguf", hub=hub)
    assert said.code == 0, said.err
    assert "tiny.gguf" in said.out
    wrong = imfine("pull", "me/tiny/other.gguf", hub=hub)
    assert wrong.code == 2
    assert "name one of: tiny.gguf" in wrong.err
