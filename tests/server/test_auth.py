"""Who may pass: tokens, sessions, hosts, origins; on every route there is."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from serving import TOKEN
from starlette.testclient import TestClient

from imfine.errors import TooManyTries, Unauthorized
from imfine.server import auth as auths
from imfine.server.auth import Auth, token_of
from imfine.server.context import Context
from imfine.settings import Settings

OPEN = {"/healthz", "/readyz", "/api/login", "/api/logout", "/"}


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """Nothing here is the database's business."""
    return f"sqlite:///{tmp_path / 'imfine.db'}"


@pytest.fixture
def stranger(app: FastAPI) -> Iterator[TestClient]:
    with TestClient(app, base_url="http://127.0.0.1:7878") as client:
        yield client


def test_every_route_but_the_open_ones_wants_a_token(app: FastAPI, stranger: TestClient) -> None:
    seen = set()
    for route in iter_route_contexts(app.routes):
        if route.path in OPEN or not isinstance(route.original_route, APIRoute):
            continue
        for method in route.methods or ():
            path = route.path.replace("{id:path}", "tiny").replace("{id}", "x" * 26)
            for headers in (
                {},
                {"Authorization": "Basic dTpw"},
                {"Cookie": "imfine_session=1.99999999999.x.y"},
            ):
                answer = stranger.request(method, path, headers=headers, content=b"{")
                assert answer.status_code == 401, (method, path)
                assert answer.headers["www-authenticate"] == "Bearer"
            seen.add(path)
    assert len(seen) > 15
    assert "/api/worker/hello" in seen


def addresses(app: FastAPI) -> Iterator[tuple[str, str]]:
    """Every method and path there is, and one of neither."""
    for route in iter_route_contexts(app.routes):
        for method in getattr(route, "methods", None) or ("GET",):
            yield method, route.path.replace("{id:path}", "tiny").replace("{id}", "x" * 26)
    yield "GET", "/nothing"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "", "[::1", "10.0.0.7:7878"])
def test_a_foreign_host_is_refused_everywhere(app: FastAPI, client: TestClient, host: str) -> None:
    seen = set()
    for method, path in addresses(app):
        answer = client.request(method, path, headers={"Host": host}, content=b"{")
        assert answer.status_code == 403, (method, path)
        assert method == "HEAD" or answer.json()["error"]["code"] == "forbidden"
        seen.add(path)
    assert len(seen) > 18
    assert {"/", "/healthz", "/api/events", "/api/worker/hello"} <= seen


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:7878", ""]
)
def test_a_foreign_origin_is_refused_everywhere(app: FastAPI, client: TestClient, origin: str) -> None:
    for method, path in addresses(app):
        answer = client.request(method, path, headers={"Origin": origin}, content=b"{")
        assert answer.status_code == 403, (method, path)
    assert client.options("/api/runs", headers={"Origin": origin}).status_code == 403


def test_our_own_origins_pass(shared: TestClient) -> None:
    for base in ("http://127.0.0.1:7878", "http://localhost:7878", "http://[::1]:7878"):
        headers = {"Host": base.removeprefix("http://"), "Origin": base}
        assert shared.get("/api/runs", headers=headers).status_code == 200


class TestPublic:
    @pytest.fixture
    def settings(self, settings: Settings) -> Settings:
        return settings.model_copy(update={"public_url": "https://imfine.example", "host": "0.0.0.0"})

    def test_behind_a_proxy(self, client: TestClient) -> None:
        headers = {"Host": "imfine.example", "Origin": "https://imfine.example"}
        answer = client.post("/api/login", json={"token": TOKEN}, headers=headers)
        assert answer.status_code == 200
        assert "; secure" in answer.headers["set-cookie"].lower()
        assert client.get("/api/runs", headers={"Host": "192.168.0.4:7878"}).status_code == 200
        assert client.get("/api/runs", headers={"Host": "evil.example"}).status_code == 403


def test_a_one_time_token_opens_a_session_once(stranger: TestClient, context: Context) -> None:
    token = context.auth.issue_login_token()
    assert stranger.get("/api/session").status_code == 401
    answer = stranger.post("/api/login", json={"token": token})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie
    session = stranger.get("/api/session")
    assert session.json()["languages"] == ["ko", "en"]
    assert stranger.get("/api/runs").status_code == 200
    assert stranger.post("/api/login", json={"token": token}).status_code == 401
    assert stranger.post("/api/logout").status_code == 204
    assert stranger.get("/api/session").status_code == 401


def test_wrong_tokens_are_slowed_down(stranger: TestClient, context: Context) -> None:
    wrong = {"Authorization": "Bearer wrong"}
    assert [stranger.get("/api/runs", headers=wrong).status_code for _ in range(11)] == [401] * 10 + [429]
    assert stranger.post("/api/login", json={"token": TOKEN}).status_code == 429
    cookie = {"Cookie": f"imfine_session={context.auth.new_session()}"}
    assert stranger.get("/api/runs", headers=cookie).status_code == 200  # who is in stays in


def test_time_runs_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    auth = Auth(Settings(home=tmp_path), clock=lambda: now[0])
    late, soon = auth.issue_login_token(), auth.issue_login_token()
    assert auth.login(soon, "a")
    now[0] += 601
    with pytest.raises(Unauthorized):
        auth.login(late, "a")
    for _ in range(9):
        with pytest.raises(Unauthorized):
            auth.login("wrong", "a")
    with pytest.raises(TooManyTries):
        auth.login(auth.token, "a")
    now[0] += 61
    session = auth.login(auth.token, "a")
    assert auth.session_holds(session)
    assert not auth.session_holds(session[:-1] + ("0" if session[-1] != "0" else "1"))
    monkeypatch.setattr(auths.time, "time", lambda: 9e9)
    assert not auth.session_holds(session)


def test_tokens_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    home = tmp_path / "home"
    token = token_of(home, "token", None)
    assert len(token) > 40
    assert stat.S_IMODE((home / "token").stat().st_mode) == 0o600
    assert token_of(home, "token", None) == token
    (home / "token").chmod(0o644)
    token_of(home, "token", None)
    assert stat.S_IMODE((home / "token").stat().st_mode) == 0o600
    (home / "token").write_text("")  # the disk was full
    assert len(token_of(home, "token", None)) > 40


def test_another_token_ends_every_session(tmp_path: Path) -> None:
    session = Auth(Settings(home=tmp_path, token="one")).new_session()
    assert not Auth(Settings(home=tmp_path, token="two")).session_holds(session)


def test_every_answer_carries_its_headers(shared: TestClient) -> None:
    for path in ("/", "/healthz", "/api/runs", "/api/nothing"):
        headers = shared.get(path, headers={"X-Request-Id": "mine-1"}).headers
        assert headers["x-request-id"] == "mine-1"
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-store"
    assert len(shared.get("/healthz", headers={"X-Request-Id": "a b\n"}).headers["x-request-id"]) == 16
