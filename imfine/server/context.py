"""What the routes work with, made once by `create_app` and kept on the app."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from imfine.settings import Settings


@dataclass
class Context:
    settings: Settings


def context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


Ctx = Annotated[Context, Depends(context)]
