"""The server put together: parts, routes, what runs beside them. No torch in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from starlette.responses import Response

from imfine.server import errors, openapi
from imfine.server.adapters import Adapters
from imfine.server.artifacts import Artifacts
from imfine.server.auth import Auth
from imfine.server.catalog import Catalog
from imfine.server.context import Context, known_query, user, worker
from imfine.server.datasets import Datasets
from imfine.server.edge import Edge
from imfine.server.estimates import Estimates
from imfine.server.hub import Hub
from imfine.server.learning import forget_knob
from imfine.server.leases import Leases, Workers
from imfine.server.lifecycle import Lifecycle
from imfine.server.metrics import Metrics
from imfine.server.page import DIST, serve_page
from imfine.server.publisher import Publish, Publisher
from imfine.server.reaper import Reaper
from imfine.server.responses import Json
from imfine.server.routes import worker as worker_routes
from imfine.server.training import forget_checkpoints
from imfine.server.uploads import forget_uploads
from imfine.settings import Settings
from imfine.store import runs
from imfine.store.engine import Store, sole_server
from imfine.store.migrate import migrate
from imfine.store.runs import Head
from imfine.version import VERSION


def create_app(settings: Settings, publish: Publish | None = None, dist: Path = DIST) -> FastAPI:
    """Opens the home and its store; the app's shutdown closes them. `publish` hands a run to a queue.

    Raises: SetupError where another server uses the home, or the database is of no known kind; Unavailable
        where it cannot be reached.
    """
    with ExitStack() as opened:
        opened.enter_context(sole_server(settings.home))
        context = _parts(settings, publish or _default_publish(), opened)
        kept = opened.pop_all()

    app = FastAPI(
        title="I'm Fine",
        version=VERSION,
        lifespan=_lifespan(context, kept),
        openapi_url=None,  # served below, to those who have a token
        docs_url=None,  # would load its scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.context = context
    app.add_middleware(Edge, settings=settings, metrics=context.metrics)
    errors.install(app)
    openapi.include(app, public=[Depends(known_query)], guarded=[Depends(user), Depends(known_query)])
    app.include_router(worker_routes.router, dependencies=[Depends(worker)])

    @app.get("/api/openapi.json", include_in_schema=False, dependencies=[Depends(user)])
    def spec() -> Response:
        return Json(openapi.document(app))

    serve_page(app, dist)
    return app


def _forget(settings: Settings, run: Head) -> None:
    forget_checkpoints(settings, run)
    forget_knob(settings, run)


def _parts(settings: Settings, publish: Publish, opened: ExitStack) -> Context:
    store = Store(settings.database)
    opened.callback(store.close)
    migrate(store.engine)
    hub = Hub()
    leases = Leases(settings.lease_s)
    publisher = Publisher(publish)
    artifacts = Artifacts(settings.home)
    forget_uploads(artifacts.root)
    datasets = Datasets(settings.home, settings.upload_limit_gib)
    datasets.forget_unfinished()
    adapters = Adapters(settings)
    adapters.forget_unfinished()
    metrics = Metrics()
    context = Context(
        settings=settings,
        auth=Auth(settings),
        store=store,
        hub=hub,
        leases=leases,
        workers=Workers(),
        publisher=publisher,
        life=Lifecycle(
            store,
            hub,
            leases,
            publisher,
            max_attempts=settings.max_attempts,
            forget=partial(_forget, settings),
        ),
        catalog=Catalog(settings),
        artifacts=artifacts,
        datasets=datasets,
        estimates=Estimates(),
        adapters=adapters,
        metrics=metrics,
    )
    metrics.watch(
        lambda: _counts(store),
        {
            "imfine_streams": lambda: len(hub.readers),
            "imfine_streams_dropped_total": lambda: hub.dropped,
            "imfine_publish_failures_total": lambda: publisher.failures,
        },
    )
    return context


def _counts(store: Store) -> dict[str, int]:
    with store.read() as connection:
        return dict(runs.counts(connection))


def _lifespan(context: Context, opened: ExitStack) -> Any:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        with opened:
            context.hub.bind(asyncio.get_running_loop())
            reaper = Reaper(context.life, context.publisher)
            context.publisher.start()
            reaper.start()
            yield
            context.hub.close()
            context.estimates.close()
            await asyncio.to_thread(reaper.stop)
            await asyncio.to_thread(context.publisher.stop)

    return lifespan


def _default_publish() -> Publish:
    from imfine.jobs.app import publish  # Celery: not needed to describe the API

    return publish  # type: ignore[return-value]
