"""The OpenAPI document. `python -m imfine.server.openapi > web/openapi.json` writes it, the same every time.

The streams' events are added by hand: OpenAPI cannot derive them from a route that answers with bytes.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, FastAPI, params
from fastapi.openapi.utils import get_openapi
from pydantic import TypeAdapter

from imfine.server.context import user
from imfine.server.routes import (
    adapters,
    datasets,
    events,
    health,
    hub_datasets,
    models,
    pictures,
    runs,
    session,
    training,
)
from imfine.server.schemas import Event
from imfine.version import VERSION

PUBLIC: tuple[APIRouter, ...] = (session.public, health.public)
GUARDED: tuple[APIRouter, ...] = (
    session.router,
    runs.router,
    events.router,
    models.router,
    pictures.router,
    datasets.router,
    hub_datasets.router,
    training.router,
    training.curves,
    adapters.router,
    health.router,
)


def include(app: FastAPI, public: Sequence[params.Depends], guarded: Sequence[params.Depends]) -> None:
    """Puts the page's API on `app`, each half with its dependencies."""
    for router in PUBLIC:
        app.include_router(router, dependencies=public)
    for router in GUARDED:
        app.include_router(router, dependencies=guarded)


def document(app: FastAPI) -> dict[str, Any]:
    """The document of `app`, with the events of the streams and both ways to authenticate."""
    spec = get_openapi(
        title="I'm Fine",
        version=VERSION,
        description="Turn a model's weights like an equalizer; compare its answers side by side.",
        routes=app.routes,
    )
    events_schema = TypeAdapter(Event).json_schema(
        ref_template="#/components/schemas/{model}", mode="serialization", by_alias=True
    )
    schemas = spec["components"]["schemas"]
    schemas.update(events_schema.pop("$defs"))
    for schema in schemas.values():
        for field in schema.get("properties", {}).values():
            if "default" in field and field["default"] is None:  # says nothing; FastAPI leaves it out too
                del field["default"]
    schemas["Event"] = events_schema
    for unused in ("HTTPValidationError", "ValidationError"):  # our 422 is an Error
        schemas.pop(unused, None)
    spec["components"]["schemas"] = dict(sorted(schemas.items()))
    return spec


def main() -> None:
    app = FastAPI()
    include(app, public=[], guarded=[params.Depends(user)])
    json.dump(document(app), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
