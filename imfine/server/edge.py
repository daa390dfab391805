"""What every request passes before any route: host and origin, request id, safety's headers, the clock.

Knows no route: nothing here depends on a path. A page on another site can make a browser send requests here;
it cannot make it send our name as Host (DNS rebinding) or our own Origin.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
import socket
import time
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from imfine.errors import Forbidden
from imfine.server.errors import answer, internal
from imfine.server.metrics import Metrics
from imfine.settings import Settings

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
WILDCARDS = ("0.0.0.0", "::", "")  # noqa: S104  compared, not bound
SAFETY = {
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; "
        "font-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Hosts:
    """By which names this server may be addressed."""

    def __init__(self, settings: Settings) -> None:
        urls = [urlsplit(url).hostname for url in (settings.public_url, settings.server_url) if url]
        self.names = {name.lower() for name in (*LOOPBACK, settings.host, *urls) if name}
        self.any_address = (
            settings.host in WILDCARDS
        )  # bound to every address: any of them, but no foreign name
        public = urlsplit(settings.public_url or "")
        self.public_origin = f"{public.scheme}://{public.netloc}".lower()
        if self.any_address:
            self.names.add(socket.gethostname().lower())

    def check(self, headers: Headers) -> None:
        """Raises: Forbidden for a Host that is not ours, or an Origin other than the Host."""
        host = headers.get("host", "").lower()
        name = _hostname(host)
        if name not in self.names and not (self.any_address and _is_address(name)):
            raise Forbidden(
                f"the host {host!r} is not this server's",
                remedy="use the address it printed at its start, or set IMFINE_PUBLIC_URL",
                field="Host",
                value=host,
            )
        origin = headers.get("origin")
        if (
            origin is not None
            and urlsplit(origin).netloc.lower() != host
            and origin.lower() != self.public_origin
        ):
            raise Forbidden(
                f"the origin {origin!r} is not this server's",
                remedy="open the page from this server",
                field="Origin",
                value=origin,
            )


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # "[::1" and the like
        return ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


class Edge:
    """The outermost middleware: nothing leaves without its headers, and no exception passes it."""

    def __init__(self, app: ASGIApp, settings: Settings, metrics: Metrics) -> None:
        self.app = app
        self.hosts = Hosts(settings)
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        asked = headers.get("x-request-id", "")
        request_id = asked if REQUEST_ID.fullmatch(asked) else secrets.token_hex(8)
        began, status = time.perf_counter(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                out = MutableHeaders(scope=message)
                out["X-Request-Id"] = request_id
                for name, value in SAFETY.items():
                    out.setdefault(name, value)
                out.setdefault("Cache-Control", "no-store")
                self.metrics.answered(scope, status, time.perf_counter() - began)
            await send(message)

        scope.setdefault("state", {})
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                self.hosts.check(headers)
                await self.app(scope, receive, send_with_headers)
            except Forbidden as error:
                await answer(error)(scope, receive, send_with_headers)
            except Exception as reason:
                told = internal(reason)
                if status == 0:
                    await answer(told)(scope, receive, send_with_headers)
                else:
                    raise
