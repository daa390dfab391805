"""What the routes work with, made once by `create_app` and kept on the app; and who may pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer

from imfine.errors import Invalid
from imfine.server.artifacts import Artifacts
from imfine.server.auth import COOKIE, Auth
from imfine.server.catalog import Catalog
from imfine.server.datasets import Datasets
from imfine.server.estimates import Estimates
from imfine.server.hub import Hub
from imfine.server.leases import Leases, Workers
from imfine.server.lifecycle import Lifecycle
from imfine.server.metrics import Metrics
from imfine.server.publisher import Publisher
from imfine.settings import Settings
from imfine.store.engine import Store


@dataclass(frozen=True)
class Context:
    settings: Settings
    auth: Auth
    store: Store
    hub: Hub
    leases: Leases
    workers: Workers
    publisher: Publisher
    life: Lifecycle
    catalog: Catalog
    artifacts: Artifacts
    datasets: Datasets
    estimates: Estimates
    metrics: Metrics


async def context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Ctx = Annotated[Context, Depends(context)]

Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]
Cookie = Annotated[str | None, Depends(APIKeyCookie(name=COOKIE, auto_error=False))]


def address(request: Request) -> str:
    return request.client.host if request.client else "?"


async def user(request: Request, ctx: Ctx, bearer: Bearer, cookie: Cookie) -> None:
    """A dependency of every router that is not public."""
    ctx.auth.check_user(bearer.credentials if bearer else None, cookie, address(request))


async def worker(ctx: Ctx, bearer: Bearer) -> None:
    """A dependency of the workers' router."""
    ctx.auth.check_worker(bearer.credentials if bearer else None)


async def known_query(request: Request) -> None:
    """Raises: Invalid for a query parameter that the route does not have, rather than ignore a slip."""
    known = {field.alias for field in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            raise Invalid(
                f"there is no query parameter {name!r}",
                remedy=f"use {', '.join(sorted(known))}" if known else "leave it out",
                field=name,
                value=request.query_params[name],
            )
