"""Every number and every string that a run is made of, with what neither JSON nor a database can carry."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from serving import Queue, ask
from starlette.testclient import TestClient

pytestmark = pytest.mark.embedded

WHOLE = ask(
    messages=[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
    revision="main",
    recipe={"eps": 1.1, "attn": 1.2, "mlp": 0.9, "bands": {"attn": [1, 1, 1.5, 1]}, "points": {"o": 0.8}},
    sampling={
        "temperature": 0.7,
        "top_k": 5,
        "top_p": 0.9,
        "min_p": 0.1,
        "repetition_penalty": 1.1,
        "no_repeat_ngram_size": 3,
        "seed": 1,
        "max_new_tokens": 8,
        "min_new_tokens": 1,
        "stop": ["x"],
    },
    lanes=["base", {"name": "loud", "recipe": {"mlp": 1.5, "points": {"0.o.h1": 0.5}}}],
    top=2,
    dtype="float32",
    page="page-1",
)
del WHOLE["prompt"]
LEARN = {
    "kind": "learn",
    "model": "emoji-diffusion",
    "revision": "main",
    "name": "smile",
    "slider": {
        "plus": "smiling face",
        "minus": "crying face",
        "neutral": ["a cat", "a house"],
        "rank": 2,
        "steps": 3,
        "batch": 1,
        "lr": 1e-3,
        "eta": 2.5,
        "count": 1,
        "seed": 1,
        "dtype": "float32",
    },
    "label": {"en": "Smile", "ko": "웃음"},
    "page": "page-1",
}
BODIES: dict[str, dict[str, Any]] = {"generate": WHOLE, "learn": LEARN}
Place = tuple[str, tuple[Any, ...]]  # which body, and where in it
BAD_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", str(2**63), str(-(2**63) - 1))
TEXTS = ("😀", "مرحبا \u202eabc", "'; DROP TABLE runs; --", "e\u0301\u200b\ufeff")


def leaves(value: Any, kinds: tuple[type, ...], path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, (dict, list)):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(inner, kinds, (*path, key))
    elif isinstance(value, kinds):
        yield path


def written(place: Place, value: Any) -> dict[str, Any]:
    """The whole request with this one value changed."""
    which, path = place
    body = copy.deepcopy(BODIES[which])
    at: Any = body
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return body


def named(place: Place) -> str:
    return ".".join(map(str, place[1]))


def places(*kinds: type) -> list[Place]:
    return [(which, path) for which, body in BODIES.items() for path in leaves(body, kinds)]


NUMBERS, STRINGS = places(int, float), places(str)


def send(client: TestClient, body: str) -> Any:
    return client.post("/api/runs", content=body, headers={"Content-Type": "application/json"})


def test_the_whole_requests_are_taken(client: TestClient) -> None:
    for body in BODIES.values():
        run = client.post("/api/runs", json=body | {"revision": None})
        assert run.status_code == 202, run.text
    assert len(NUMBERS) > 25
    assert len(STRINGS) > 20


@pytest.mark.parametrize("place", NUMBERS, ids=named)
def test_a_number_that_cannot_be_carried_is_named(shared: TestClient, place: Place) -> None:
    for number in BAD_NUMBERS:
        answer = send(shared, json.dumps(written(place, "HERE")).replace('"HERE"', number))
        assert answer.status_code == 422, (number, answer.text)
        assert answer.json()["error"]["field"] == named(place), number


@pytest.mark.parametrize("place", STRINGS, ids=named)
def test_a_text_that_cannot_be_carried_is_named(shared: TestClient, place: Place) -> None:
    for escape in ("\\u0000", "\\ud83d", "\\udc00 tail"):
        answer = send(shared, json.dumps(written(place, "HERE")).replace("HERE", escape))
        assert answer.status_code == 422, (escape, answer.text)
        assert answer.json()["error"]["field"] == named(place), escape


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_of_any_script_is_kept_exactly_or_refused(client: TestClient, queue: Queue, text: str) -> None:
    """Lanes, stop strings, turns, pages and keys as well as prompts; what a name cannot be is a 4xx."""
    for place in STRINGS:
        path = place[1]
        body = written(place, text) | ({} if path == ("revision",) else {"revision": None})
        answer = client.post("/api/runs", json=body)
        if answer.status_code != 202:
            assert 400 <= answer.status_code < 500, (path, answer.text)
            continue
        kept = client.post(f"/api/runs/{answer.json()['id']}/cancel").json()  # its name is free again
        at: Any = kept["request"] | {"page": kept["page"]}
        for key in path:
            at = at[key]
        assert (at["name"] if isinstance(at, dict) else at) == text, path
    assert client.get("/api/runs", params={"q": text}).json()["total"] >= 1


@pytest.mark.parametrize("text", [*TEXTS, "\0", "\x1f", "%", "../../etc", "a" * 300, "\\"])
def test_addresses_and_queries_hold_any_text(client: TestClient, text: str) -> None:
    odd = quote(text, safe="")
    for path in (
        f"/api/runs/{odd}",
        f"/api/runs/{odd}/events",
        f"/api/models/{odd}",
        f"/api/runs?q={odd}",
        f"/api/runs?model={odd}",
        f"/api/runs?cursor={odd}",
        f"/api/runs?limit={odd}",
        f"/api/runs?state={odd}",
        f"/{odd}",
        f"/assets/{odd}",
    ):
        answer = client.get(path)
        assert answer.status_code < 500, (path, answer.text)
    assert client.post(f"/api/runs/{odd}/cancel").status_code in (404, 422)


@pytest.mark.parametrize("odd", ["%ff", "%ed%a0%80", "%c0%ae%c0%ae", "%00", "%252e%252e%252f", "%", "%zz"])
def test_addresses_and_queries_hold_any_bytes(client: TestClient, odd: str) -> None:
    for path in (f"/api/runs/{odd}", f"/api/models/{odd}", f"/api/runs?q={odd}", f"/api/runs?cursor={odd}"):
        answer = client.get(path)
        assert answer.status_code < 500, (path, answer.text)


@pytest.mark.parametrize("key", ["é", "\x7f", "😀", "'", " a b ", "k" * 200])
def test_keys_hold_any_bytes(client: TestClient, key: str) -> None:
    answers = [
        client.post("/api/runs", json=ask(), headers={"Idempotency-Key": key.encode()}) for _ in range(2)
    ]
    assert {answer.status_code for answer in answers} <= {202, 422}
    assert answers[0].status_code == 422 or answers[0].json()["id"] == answers[1].json()["id"]
