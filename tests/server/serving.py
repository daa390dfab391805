"""A server to talk to, a worker that speaks the protocol, and a tiny model on disk: no torch, no queue."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from safetensors.numpy import save_file

from imfine.core.families import layout
from imfine.errors import Unavailable
from imfine.server.context import Context
from imfine.server.run import Server, make_server
from imfine.settings import Settings

TOKEN, WORKER_TOKEN = "user-token-for-tests", "worker-token-for-tests"
LAYERS = 4
CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "num_hidden_layers": LAYERS,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "hidden_size": 32,
    "intermediate_size": 64,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 512,
    "vocab_size": 64,
    "tie_word_embeddings": True,
}


def write_model(folder: Path) -> None:
    """A Llama whose weights are all zero."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(CONFIG))
    (folder / "tokenizer.json").write_text("{}")
    shapes = {"model.embed_tokens.weight": (64, 32), "model.norm.weight": (32,)}
    for i in range(LAYERS):
        layer = f"model.layers.{i}"
        shapes |= {
            f"{layer}.self_attn.q_proj.weight": (32, 32),
            f"{layer}.self_attn.k_proj.weight": (16, 32),
            f"{layer}.self_attn.v_proj.weight": (16, 32),
            f"{layer}.self_attn.o_proj.weight": (32, 32),
            f"{layer}.mlp.gate_proj.weight": (64, 32),
            f"{layer}.mlp.up_proj.weight": (64, 32),
            f"{layer}.mlp.down_proj.weight": (32, 64),
            f"{layer}.input_layernorm.weight": (32,),
            f"{layer}.post_attention_layernorm.weight": (32,),
        }
    save_file(
        {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}, folder / "model.safetensors"
    )


BLOCKS = 4
IMAGE = {
    "sample_size": 64,
    "multiple_of": 16,
    "latent_channels": 4,
    "encoders": 1,
    "window": 77,
    "prediction": "epsilon",
}
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class ImageLayout:
    """An image model's layout, as far as the server asks. Its blocks are the tiny Llama's layers."""

    kind = "image"
    band_names = ("IN00", "M00", "OUT00", "TE")

    def __init__(self) -> None:
        self._text = layout(CONFIG)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._text, name)

    def to_json(self) -> dict[str, Any]:
        told = self._text.to_json()
        same = {name: told[name] for name in ("layers", "points", "eps", "eps_knob_max", "classic")}
        return {
            "kind": "image",
            "family": "stable-diffusion",
            "architecture": "StableDiffusionPipeline",
            "band_names": list(self.band_names),
            "trainable_bands": list(self.band_names),
            "knobs": ["eps", "attn", "mlp", "tone", "style"],
            "image": IMAGE,
            **same,
        }


def add_image_model(context: Context, name: str = "painter") -> None:
    """The catalog knows an image model from now on."""
    card, _ = context.catalog.find("tiny")
    card = replace(card, id=name, name="Painter", family="stable-diffusion")
    context.catalog._known[name, None] = (math.inf, card, ImageLayout())  # type: ignore[assignment]


def picture(data: bytes = PNG, lane: int = 0, index: int = 0) -> dict[str, Any]:
    sha256 = hashlib.sha256(data).hexdigest()
    place = {"lane": lane, "index": index, "seed": 1, "width": 1, "height": 1}
    return {
        "type": "picture",
        "sha256": sha256,
        "size": len(data),
        "url": f"/api/artifacts/{sha256}.png",
    } | place


def preview(step: int, lane: int = 0, data: str = "AAAA") -> dict[str, Any]:
    place = {"lane": lane, "index": 0, "step": step, "steps": 20}
    return {"type": "preview", "mime": "image/png", "data": data} | place


class Queue:
    """Where runs are published to. `away`: like a broker that cannot be reached."""

    def __init__(self) -> None:
        self.away = False
        self.sent: list[tuple[str, str]] = []

    def __call__(self, run_id: str, queue: str) -> None:
        if self.away:
            raise Unavailable("the queue cannot be reached")
        self.sent.append((run_id, queue))

    def times(self, run_id: str) -> int:
        return sum(sent == run_id for sent, _ in self.sent)


def ask(**more: Any) -> dict[str, Any]:
    return {"kind": "generate", "model": "tiny", "prompt": "I want to be", **more}


def tokens(start: int, text: str = "x") -> dict[str, Any]:
    return {"type": "tokens", "lane": 0, "start": start, "ids": [start], "texts": [text], "top": None}


class Worker:
    """The worker's side of the protocol, over any httpx-like client."""

    def __init__(self, http: Any, name: str = "worker-1") -> None:
        self.http, self.name = http, name
        self.headers = {"Authorization": f"Bearer {WORKER_TOKEN}"}

    def post(self, path: str, **body: Any) -> Any:
        return self.http.post(f"/api/worker/{path}", json=body, headers=self.headers)

    def hello(self, queue: str = "live", **more: Any) -> Any:
        facts = {
            "queues": [queue],
            "pid": 1,
            "host": "here",
            "device": "cpu",
            "memory_total": 1,
            "warm": ["tiny"],
            **more,
        }
        return self.post("hello", worker=self.name, version="0", **facts)

    def claim(self, run: str, *, redelivered: bool = False) -> Any:
        return self.post(f"runs/{run}/claim", worker=self.name, redelivered=redelivered)

    def events(self, run: str, seq: int, *events: dict[str, Any], attempt: int = 1) -> Any:
        return self.post(f"runs/{run}/events", attempt=attempt, seq=seq, events=list(events))

    def upload(self, run: str, data: bytes = PNG, *, sha256: str | None = None, attempt: int = 1) -> Any:
        name = hashlib.sha256(data).hexdigest() if sha256 is None else sha256
        path = f"/api/worker/runs/{run}/artifacts/{name}?attempt={attempt}"
        return self.http.put(path, content=data, headers=self.headers)

    def heartbeat(self, run: str, attempt: int = 1) -> Any:
        return self.post(f"runs/{run}/heartbeat", attempt=attempt)

    def finish(self, run: str, seq: int, state: str = "succeeded", attempt: int = 1, **more: Any) -> Any:
        return self.post(f"runs/{run}/finish", attempt=attempt, seq=seq, state=state, **more)

    def release(self, run: str, attempt: int = 1) -> Any:
        return self.post(f"runs/{run}/release", attempt=attempt, reason="the worker stops")


class Running:
    """A real uvicorn on a port of its own, in a thread."""

    def __init__(self, settings: Settings, queue: Queue) -> None:
        self.socket = socket.socket()
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.server: Server = make_server(settings, queue)
        self.thread = threading.Thread(target=self.server.run, args=([self.socket],))
        self.thread.start()
        until(lambda: self.server.started)
        self.http = httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=120)

    def stop(self) -> float:
        """Seconds it took."""
        began = time.monotonic()
        self.http.close()
        self.server.should_exit = True
        self.thread.join(timeout=30)
        assert not self.thread.is_alive()
        return time.monotonic() - began

    def stream(self, path: str, last: int | None = None) -> Iterator[dict[str, Any]]:
        """The events of a stream, with their ids."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        with httpx.stream("GET", self.url + path, headers=headers, timeout=30) as response:
            assert response.status_code == 200, response.read()
            yield from parse_stream(response.iter_lines())


def parse_stream(lines: Iterator[str]) -> Iterator[dict[str, Any]]:
    event: dict[str, Any] = {}
    for line in lines:
        field, _, value = line.partition(": ")
        if field == "data":
            event |= json.loads(value)
        elif field == "id":
            event["id"] = int(value)
        elif line == "":
            if "type" in event:
                yield event
            event = {}


def until(true: Any, within_s: float = 30.0) -> None:
    end = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)
