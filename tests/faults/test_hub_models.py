"""Models of the Hub, asked for through the server: each that cannot be had says why; none is executed."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_hub import Hub, serve_hub
from installation import Installation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hub(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    at = tmp_path_factory.mktemp("hub")
    with serve_hub() as hub:
        for name in ("good", "gated", "forbidden", "pickled", "coded"):
            hub.repos[f"me/{name}"] = Path(shutil.copytree(tiny, at / name))
        hub.gated.add("me/gated")
        hub.forbidden.add("me/forbidden")
        (at / "pickled" / "model.safetensors").rename(at / "pickled" / "pytorch_model.bin")
        config = json.loads((at / "coded" / "config.json").read_text())
        config["auto_map"] = {"AutoModelForCausalLM": "evil.Model"}
        (at / "coded" / "config.json").write_text(json.dumps(config))
        (at / "coded" / "evil.py").write_text("raise SystemExit")
        yield hub


@pytest.fixture(scope="module")
def online(hub: Hub, tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("online")
    shutil.copytree(tiny, home / "models" / "tiny")
    made = Installation(home, {}, fork=False)  # the Hub's library reads its environment once
    made.environment |= {
        "HF_ENDPOINT": hub.url,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_XET": "1",
    }
    made.environment.pop("HF_TOKEN", None)
    try:
        made.start()
        yield made
    finally:
        made.end()


REFUSED = [
    ("me/absent", 404, "model_not_found", "spelling"),
    ("me/gated", 403, "model_gated", "accept"),
    ("me/forbidden", 403, "model_gated", "HF_TOKEN"),
    ("me/pickled", 422, "model_refused", "safetensors"),
    ("me/coded", 422, "model_refused", "part of transformers"),
]


@pytest.mark.parametrize(("model", "status", "code", "remedy"), REFUSED)
def test_a_model_that_cannot_be_had_says_why(online, hub, model, status, code, remedy):
    asked = [
        online.http.post("/api/runs", json={"kind": "generate", "model": model, "prompt": "a"}),
        online.get(f"/api/models/{model}", strict=False),
    ]
    for answer in asked:
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (status, code), error
        assert model in error["message"]
        assert remedy in error["remedy"]
        assert error["remedy"]
    wanted = [line for line in hub.asked if line.startswith("GET") and f"/{model}/resolve/" in line]
    assert not any(line.endswith((".bin", ".py", ".safetensors")) for line in wanted)


def test_one_that_can_be_had_is_fetched_by_its_run(online):
    found = online.wait_state(online.submit(model="me/good"), "succeeded")
    assert len(found["result"]["lanes"]) == 2


def test_a_hub_that_goes_away_while_the_weights_come_fails_the_run(online, hub, tiny, tmp_path):
    hub.repos["me/broken-off"] = Path(shutil.copytree(tiny, tmp_path / "broken-off"))
    assert online.get("/api/models/me/broken-off").json()["card"]["id"] == "me/broken-off"
    hub.cut = 50_000
    try:
        run = online.submit(model="me/broken-off")
        error = online.wait_state(run, "failed", seconds=90)["error"]
    finally:
        hub.cut = None
    assert error["code"] == "no_network", error
    assert error["remedy"]
    online.wait_state(online.submit(), "succeeded")


@pytest.mark.parametrize("name", ["../tiny", "%252e%252e/tiny", "/etc/passwd", "../../etc", "linked"])
def test_no_name_leads_out_of_the_models(online, tiny, tmp_path, name):
    shutil.copytree(tiny, tmp_path / "elsewhere")
    link = online.home / "models" / "linked"
    if name == "linked":
        link.symlink_to(tmp_path / "elsewhere")
    answer = online.http.post("/api/runs", json={"kind": "generate", "model": name, "prompt": "a"})
    link.unlink(missing_ok=True)
    refused = (404, "model_not_found") if name == "linked" else (422, "model_refused")
    assert (answer.status_code, answer.json()["error"]["code"]) == refused, answer.text
