"""The OpenAPI document: kept beside the page, complete, and true under fuzzing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as examples
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance
from serving import TOKEN, WORKER_TOKEN, Queue, Running, Worker, write_model
from starlette.testclient import TestClient

from imfine.core import events as core
from imfine.server import auth
from imfine.settings import Settings

pytestmark = pytest.mark.embedded

ROOT = Path(__file__).parents[2]
DOCUMENT = json.loads((ROOT / "web" / "openapi.json").read_text())


def test_the_kept_document_is_up_to_date() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "imfine.server.openapi"], cwd=ROOT, capture_output=True, check=True
    )
    kept = (ROOT / "web" / "openapi.json").read_bytes()
    assert made.stdout == kept, "run: python -m imfine.server.openapi > web/openapi.json"


def test_the_server_tells_the_same_document(client: TestClient) -> None:
    assert client.get("/api/openapi.json").json() == DOCUMENT


def test_every_event_of_core_is_described() -> None:
    described = DOCUMENT["components"]["schemas"]
    mapping = described["Event"]["discriminator"]["mapping"]
    for kind in (*get_args(core.Event), core.PictureResult):
        if kind is core.Result:  # PictureResult is all that a result may hold
            continue
        fields = set(kind.__dataclass_fields__)
        name = kind.__dataclass_fields__["type"].default
        if kind is core.Picture:
            fields = fields - {"png"} | {"url"}
        schema = described[mapping[name].rpartition("/")[2]]
        assert set(schema["properties"]) == fields | {"run", "attempt"}, name
        assert set(schema["required"]) == (fields | {"run", "attempt"}) - {"image"}, name


def test_no_torch_in_the_server() -> None:
    code = "import sys, imfine.server.run, imfine.jobs.app; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("fuzzed")
        patch.setenv("HF_HUB_OFFLINE", "1")
        patch.setenv("HF_HUB_CACHE", str(home / "hub"))
        patch.setattr(auth, "TRIES", 10**9)  # fuzzing tries wrong tokens on purpose
        write_model(home / "models" / "tiny")
        running = Running(Settings(home=home, token=TOKEN, worker_token=WORKER_TOKEN), Queue())
        yield running
        running.stop()


OPERATIONS = [
    (method.upper(), path)
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if path != "/api/events"  # never ends: tests/server/test_streams.py
]


def takes_anything(operation: Any) -> bool:
    return bool(operation.body) or any(
        len(found) > 0 for found in (operation.query, operation.path_parameters, operation.headers)
    )


@pytest.mark.parametrize("mode", GenerationMode)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(o) for o in OPERATIONS])
def test_fuzzing_finds_no_5xx_and_nothing_undescribed(
    fuzzed: Running, method: str, path: str, mode: GenerationMode
) -> None:
    """With what fits the schema, and with what does not and must be refused."""
    operation = schemathesis.openapi.from_dict(DOCUMENT)[path][method]
    headers = {"Authorization": f"Bearer {TOKEN}"}
    if mode is GenerationMode.NEGATIVE and not takes_anything(operation):
        return
    Worker(fuzzed.http).hello()  # or /readyz tells, with 503, that there is none

    @examples(
        max_examples=10,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def fuzz(case: Any) -> None:
        # What fits the schema may still not fit the model: a band's length, a recipe's range.
        case.call_and_validate(
            base_url=fuzzed.url, headers=headers, excluded_checks=[positive_data_acceptance]
        )

    fuzz()
