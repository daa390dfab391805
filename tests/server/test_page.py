"""The page's files: the way in, client routes, caching, and what is said where they are not built."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Queue
from starlette.testclient import TestClient

from imfine.server.app import create_app
from imfine.settings import Settings

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
def page(tmp_path: Path) -> Iterator[TestClient]:
    dist = tmp_path / "dist"
    (dist / "assets").mkdir(parents=True)
    (dist / "index.html").write_text("<title>I'm Fine</title>")
    (dist / "favicon.svg").write_text("<svg/>")
    (dist / "assets" / "index-abc123.js").write_text("1")
    (tmp_path / "secret.txt").write_text("secret")
    with TestClient(
        create_app(Settings(home=tmp_path / "home"), Queue(), dist), base_url="http://127.0.0.1:7878"
    ) as client:
        yield client


def test_the_page_needs_no_token_and_knows_its_own_routes(page: TestClient) -> None:
    for path in ("/", "/?token=x", "/jobs", "/jobs/01m81gjads0reqpb332113bffe"):
        answer = page.get(path, headers=HTML)
        assert answer.status_code == 200
        assert "I'm Fine" in answer.text
        assert answer.headers["content-type"].startswith("text/html")
        assert answer.headers["cache-control"] == "no-store"
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert page.get("/favicon.svg").status_code == 200


def test_hashed_files_are_kept_for_ever(page: TestClient) -> None:
    answer = page.get("/assets/index-abc123.js")
    assert "immutable" in answer.headers["cache-control"]
    assert page.get("/assets/gone.js").status_code == 404


def test_what_is_not_there_is_told_as_json(page: TestClient) -> None:
    for method, path in (("GET", "/api/nothing"), ("GET", "/nothing.js"), ("POST", "/api/nothing")):
        answer = page.request(method, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    answer = page.delete("/api/runs")
    assert (answer.status_code, answer.json()["error"]["code"]) == (405, "method_not_allowed")


@pytest.mark.parametrize(
    "path", ["/../secret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/%00"]
)
def test_no_way_out_of_the_folder(page: TestClient, path: str) -> None:
    assert "secret" not in page.get(path).text


def test_a_page_that_is_not_built_says_what_to_do(shared: TestClient) -> None:
    answer = shared.get("/")
    assert answer.status_code == 503
    assert "make up" in answer.text
