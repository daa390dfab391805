"""A uvicorn server for the app, for whoever runs the process: signals are the caller's or uvicorn's."""

from __future__ import annotations

import socket

import uvicorn

from imfine.server.app import create_app
from imfine.server.context import Context
from imfine.server.publisher import Publish
from imfine.settings import Settings

GRACE_S = 3  # for requests under way at a shutdown; streams end at once
KEEP_ALIVE_S = 75  # longer than a worker's pause between two hellos


class Server(uvicorn.Server):
    """Ends the live streams and the children that answer first: uvicorn waits for open answers before it
    tells the app of a shutdown."""

    def __init__(self, config: uvicorn.Config, context: Context) -> None:
        super().__init__(config)
        self.context = context

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.context.hub.close()
        self.context.datasets.close()
        self.context.estimates.close()
        await super().shutdown(sockets)

    def login_url(self) -> str:
        """The page's address with a token for one login within ten minutes."""
        settings = self.context.settings
        host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104
        base = settings.public_url or f"http://{f'[{host}]' if ':' in host else host}:{settings.port}"
        return f"{base.rstrip('/')}/?token={self.context.auth.issue_login_token()}"


def make_server(settings: Settings, publish: Publish | None = None) -> Server:
    """Ready to `run()` or `serve()`, or with `sockets=[…]` that the caller has bound.

    Raises: as `create_app`.
    """
    app = create_app(settings, publish)
    config = uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        lifespan="on",
        ws="none",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config, app.state.context)
