"""The page: the files that `make up` builds into web/dist. Where they are not, a sentence says what to do."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI
from starlette.responses import PlainTextResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

DIST = Path(__file__).parents[2] / "web" / "dist"


class Hashed(StaticFiles):
    """Files whose names carry a hash of their content: kept by browsers for ever."""

    def file_response(
        self,
        full_path: str | os.PathLike[str],
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def serve_page(app: FastAPI, dist: Path) -> None:
    """Serves `dist` at /, and index.html where a browser asks for a path that no file has."""
    if (dist / "index.html").is_file():
        if (dist / "assets").is_dir():
            app.mount("/assets", Hashed(directory=dist / "assets"))
        app.frontend("/", directory=dist, fallback="index.html", check_dir=True)
        return

    @app.get("/", include_in_schema=False)
    async def not_built() -> PlainTextResponse:
        return PlainTextResponse(
            "The page is not built yet. Run `make up` in the checkout.\n", status_code=503
        )
