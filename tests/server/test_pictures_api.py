"""Asking for pictures, their files, and what a dropped one says."""

from __future__ import annotations

import io
import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin
from serving import IMAGE, PNG, Queue, add_image_model, ask, picture, until
from starlette.testclient import TestClient

from imfine.core.image import png
from imfine.server.context import Context

pytestmark = pytest.mark.embedded

SAYS: dict[str, Any] = {
    "model": "emoji-diffusion",
    "revision": "1",
    "checksum": "c" * 64,
    "prompt": "빨간 사과 🍎",
    "recipe": {"attn": 1.2},
    "image": {"steps": 20},
    "seed": 7,
    "lane": "tuned",
    "version": "0.1.0",
}


@pytest.fixture(autouse=True)
def painter(client: TestClient, context: Context) -> None:
    add_image_model(context)


def post(client: TestClient, **body: Any) -> Any:
    return client.post("/api/runs", json=ask(model="painter") | body)


def error(answer: Any) -> Any:
    assert answer.status_code == 422, answer.text
    return answer.json()["error"]


def test_pictures_are_asked_for_with_nothing_left_open(client: TestClient, queue: Queue) -> None:
    image = {"negative": "blurry", "steps": 12, "scheduler": "euler_a", "width": 32, "count": 2}
    run = post(client, image=image, recipe={"attn": 1.2}, lanes=["base", "tuned"]).json()
    kept = run["request"]["image"]
    assert kept == kept | image
    assert (kept["height"], kept["guidance"], kept["previews"]) == (64, 7.5, True)
    assert 0 <= kept["seed"] < 2**32
    assert run["request"]["sampling"] == {}
    until(lambda: queue.sent == [(run["id"], "live")])
    assert client.get("/api/runs").json()["items"][0]["recipe"] == {"attn": 1.2}


def test_an_image_model_needs_no_settings(client: TestClient) -> None:
    request = post(client).json()["request"]
    assert (request["image"]["steps"], request["image"]["width"], request["image"]["count"]) == (20, 64, 1)


def test_again_is_the_same_pictures(client: TestClient) -> None:
    first = post(client, image={"count": 2}).json()
    second = client.post(f"/api/runs/{first['id']}/again").json()
    assert second["id"] != first["id"]
    assert second["request"] == first["request"]


def test_many_pictures_are_batch_work(client: TestClient, queue: Queue) -> None:
    run = post(client, image={"count": 8}).json()
    until(lambda: queue.sent == [(run["id"], "batch")])
    again = client.post(f"/api/runs/{run['id']}/again").json()
    until(lambda: queue.sent[1:] == [(again["id"], "batch")])


def test_the_same_key_is_one_run_of_pictures(client: TestClient) -> None:
    key = {"Idempotency-Key": "k"}
    body = ask(model="painter", image={"steps": 5})
    first, second = (client.post("/api/runs", json=body, headers=key).json() for _ in range(2))
    assert first["id"] == second["id"]
    other = client.post("/api/runs", json=body | {"image": {"steps": 6}}, headers=key)
    assert other.status_code == 409


@pytest.mark.parametrize(
    ("image", "field"),
    [
        ({"width": 65}, "image.width"),
        ({"height": 1 << 62}, "image.height"),
        ({"width": 4096}, "image.width"),
        ({"width": 0}, "image.width"),
        ({"steps": 10_000}, "image.steps"),
        ({"steps": -1}, "image.steps"),
        ({"steps": 1.5}, "image.steps"),
        ({"steps": True}, "image.steps"),
        ({"guidance": 31}, "image.guidance"),
        ({"scheduler": "heun"}, "image.scheduler"),
        ({"count": 9}, "image.count"),
        ({"seed": -1}, "image.seed"),
        ({"seed": 2**32}, "image.seed"),
        ({"negative": "x" * 10_001}, "image.negative"),
        ({"previews": 1}, "image.previews"),
        ({"strength": 0.5}, "image.strength"),
        ("fast", "image"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(client: TestClient, image: Any, field: str) -> None:
    told = error(post(client, image=image))
    assert told["field"] == field
    assert told["remedy"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", "9223372036854775808"])
def test_a_number_that_is_none_is_named(client: TestClient, number: str) -> None:
    body = f'{{"kind": "generate", "model": "painter", "prompt": "a", "image": {{"guidance": {number}}}}}'
    told = error(client.post("/api/runs", content=body, headers={"Content-Type": "application/json"}))
    assert told["field"] == "image.guidance"


def test_the_next_sizes_are_told(client: TestClient) -> None:
    told = error(post(client, image={"width": 65}))
    assert told["remedy"] == "give 64 or 80"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"model": "tiny", "image": {}}, "image"),
        ({"sampling": {}}, "sampling"),
        ({"top": 2}, "top"),
        ({"prompt": None, "messages": [{"role": "user", "content": "a cat"}]}, "messages"),
        ({"prompt": ""}, "prompt"),
        ({"recipe": {"bands": {"attn": [1.0] * 5}}}, "recipe.bands.attn"),
        ({"recipe": {"tone": 1.5}}, "recipe.tone"),
        ({"recipe": {"style": -1.01}}, "recipe.style"),
        ({"model": "tiny", "recipe": {"tone": 0.5}}, "recipe.tone"),
        ({"model": "tiny", "recipe": {"style": 0.5}}, "recipe.style"),
    ],
)
def test_what_belongs_to_the_other_kind_is_refused(client: TestClient, body: Any, field: str) -> None:
    assert error(post(client, **body))["field"] == field


def test_a_prompt_in_emoji_is_kept_as_it_is(client: TestClient) -> None:
    run = post(client, prompt="🍎👩‍👩‍👧‍👦\u202e고양이", image={"negative": "😀"}).json()
    found = client.get(f"/api/runs/{run['id']}").json()["request"]
    assert (found["prompt"], found["image"]["negative"]) == ("🍎👩‍👩‍👧‍👦\u202e고양이", "😀")


def test_a_models_page_tells_what_it_draws(client: TestClient) -> None:
    found = client.get("/api/models/painter").json()
    layout = found["layout"]
    assert found["card"]["kind"] == layout["kind"] == "image"
    assert layout["band_names"] == ["IN00", "M00", "OUT00", "TE"]
    assert layout["knobs"][3:] == ["tone", "style"]
    assert layout["image"] == IMAGE | {"steps": None, "guidance": None}
    assert layout["heads"] is None
    text = client.get("/api/models/tiny").json()
    assert text["card"]["kind"] == text["layout"]["kind"] == "text"
    assert text["layout"]["band_names"] == text["layout"]["trainable_bands"] == ["0", "1", "2", "3"]
    assert text["layout"]["image"] is None


# ---------------------------------------------------------------- what a file says


def read(client: TestClient, data: bytes) -> Any:
    return client.post("/api/pictures/read", content=data, headers={"Content-Type": "image/png"})


def painted(says: Any = SAYS, keyword: str = "imfine") -> bytes:
    text = says if isinstance(says, str) else json.dumps(says, ensure_ascii=False)
    info = PngImagePlugin.PngInfo()
    info.add_itxt(keyword, text)
    out = io.BytesIO()
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb_of_pixels() -> bytes:
    header = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    return png.MAGIC + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def bomb_of_text() -> bytes:
    text = b"imfine\0\1\0\0\0" + zlib.compress(b" " * (100 << 20))
    return PNG[:33] + chunk(b"iTXt", text) + PNG[33:]


def test_a_picture_of_ours_says_how_it_was_made(client: TestClient) -> None:
    data = png.write(np.zeros((8, 8, 3), np.uint8), SAYS)
    answer = read(client, data)
    assert answer.status_code == 200
    assert answer.json() == SAYS


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a text, called a.png",
        b"GIF89a" + b"\0" * 40,
        png.MAGIC,
        PNG,
        PNG[:40],
        bomb_of_pixels(),
        bomb_of_text(),
        painted(keyword="parameters"),
        painted(says="{"),
        painted(says="[" * 100_000),
        painted(says="null"),
        painted(SAYS | {"seed": "7"}),
        painted(SAYS | {"revision": {"a": 1}}),
        painted(json.dumps(SAYS | {"recipe": {"attn": float("nan")}})),
        painted(json.dumps(SAYS | {"prompt": "\ud800"})),
        painted('{"recipe": ' + '{"a":' * 900 + "1" + "}" * 901),
        painted(json.dumps(SAYS)[:-1] + ', "image": {"steps": ' + "9" * 5000 + "}}"),
        painted()[:60],
    ],
    ids=range(19),
)
def test_what_is_none_of_our_pictures_is_said(client: TestClient, data: bytes) -> None:
    told = error(read(client, data))
    assert told["field"] == "file"
    assert told["remedy"]


def test_every_byte_may_be_broken(client: TestClient) -> None:
    whole = painted()
    for at in range(len(whole)):
        broken = whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :]
        assert read(client, broken).status_code in (200, 422), at
        assert read(client, whole[:at]).status_code in (200, 422), at


def test_a_file_that_is_too_large_is_not_read(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("imfine.server.body.FileRequest.limit", 1000)
    assert read(client, painted() + b"x" * 1000).status_code == 413


def test_nobody_reads_without_a_token(client: TestClient) -> None:
    nobody = {"Authorization": ""}
    assert client.post("/api/pictures/read", content=PNG, headers=nobody).status_code == 401
    assert client.get(picture()["url"], headers=nobody).status_code == 401
    assert (
        client.put(f"/api/worker/runs/{'0' * 26}/artifacts/{'0' * 64}?attempt=1", content=PNG).status_code
        == 401
    )
