"""A request's body as a file on the disk, in pieces, for routes that are given large files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from anyio.to_thread import run_sync
from fastapi import Request
from starlette.requests import ClientDisconnect

from imfine.errors import Invalid, TooLarge
from imfine.server.body import drained
from imfine.server.uploads import Upload


@asynccontextmanager
async def received(
    request: Request, upload: Callable[[], Upload], limit: int, too_large: Callable[[int], TooLarge]
) -> AsyncIterator[Upload]:
    """The whole body, closed and ready to be read; gone when the block ends.

    Raises: TooLarge (before it is read, where the client announces its size), Invalid (cut off), NotKept.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        await _let_finish(request, request.stream())
        raise too_large(limit)
    with await run_sync(upload) as file:
        parts = request.stream()
        try:
            async for part in parts:
                await run_sync(file.write, part)
        except ClientDisconnect as reason:
            raise Invalid(
                "the upload was cut off", remedy="send the file once more", field="body"
            ) from reason
        except TooLarge:
            await _let_finish(request, parts)
            raise
        await run_sync(file.close)
        yield file


async def _let_finish(request: Request, parts: AsyncIterator[bytes]) -> None:
    """A client that still sends reads no answer."""
    request.scope["state"]["unread"] = not await drained(parts, bytearray())
