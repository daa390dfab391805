"""The Hub as a real server on this machine that answers as huggingface.co does."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

COMMIT = "5e1f" * 10


@dataclass
class Hub:
    """Repositories by name: their files, and how the Hub behaves for each."""

    url: str = ""
    repos: dict[str, Path] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    forbidden: set[str] = field(default_factory=set)  # the token that is sent may not read these
    asked: list[str] = field(default_factory=list)
    cut: int | None = None  # ends each answer after so many bytes


def answer(hub: Hub, handler: BaseHTTPRequestHandler) -> None:
    hub.asked.append(f"{handler.command} {handler.path.partition('?')[0]}")
    path = handler.path.partition("?")[0]
    if match := re.fullmatch(r"/api/(?:models|datasets)/([\w.-]+/[\w.-]+)(?:/revision/(.+))?", path):
        repo, revision = match[1], match[2]
        if repo not in hub.repos:
            return refuse(handler, 401, "RepoNotFound", "Invalid username or password.")
        if revision not in (None, "main", COMMIT):
            return refuse(handler, 404, "RevisionNotFound", f"Invalid rev id: {revision}")
        return send(handler, json.dumps(described(hub, repo)).encode(), "application/json")
    if match := re.fullmatch(r"(?:/datasets)?/([\w.-]+/[\w.-]+)/resolve/([^/]+)/(.+)", path):
        repo, revision, name = match.groups()
        if repo not in hub.repos:
            return refuse(handler, 401, "RepoNotFound", "Invalid username or password.")
        if repo in hub.forbidden:
            return refuse(handler, 403, "", "Your token may not read this.")
        if repo in hub.gated and handler.headers.get("Authorization") != "Bearer hf_good":
            return refuse(handler, 401, "GatedRepo", f"Access to model {repo} is restricted.")
        file = hub.repos[repo] / name
        if not file.is_file():
            return refuse(handler, 404, "EntryNotFound", "Entry not found")
        return send(handler, file.read_bytes(), "application/octet-stream", hub.cut)
    return refuse(handler, 404, "", "no such page")


def described(hub: Hub, repo: str) -> dict[str, Any]:
    files = sorted(file for file in hub.repos[repo].rglob("*") if file.is_file())
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
        "siblings": [
            {"rfilename": str(file.relative_to(hub.repos[repo])), "size": file.stat().st_size, "blobId": "x"}
            for file in files
        ],
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


@contextmanager
def serve_hub() -> Iterator[Hub]:
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
