"""A request's body: read up to a limit, parsed strictly. Knows no route and no schema.

What is wrong with a body does not raise here but becomes a `Refused`, which the schema it was meant for
raises: so an unknown client hears 401 before it hears anything of its JSON.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from imfine.errors import ImfineError, Invalid, TooLarge
from imfine.server.schemas import Refused

MIB = 1 << 20
MAX_BODY = MIB
MAX_WORKER_BODY = 32 * MIB  # results of many long lanes
MAX_FILE = 64 * MIB
MAX_DEPTH = 40
ENDS_BYTES = 64 << 10  # kept of either end of a body that is too large, to see which model it names
DRAIN_BYTES, DRAIN_S = (
    64 * MIB,
    5.0,
)  # a client that still sends reads no answer: let it finish, within reason
INT_MIN, INT_MAX = -(2**63), 2**63 - 1


class _Bad:
    """A JSON number that cannot be used, found while parsing, where its place is not known yet."""

    def __init__(self, text: str) -> None:
        self.text = text


def parse(body: bytes, *, nul: bool) -> Any:
    """JSON to data. `nul`: strings may hold NUL (a model can say it; a person has no use for it).

    Raises: Invalid naming the field for what JSON or the store cannot carry: NaN, infinities, numbers beyond
        64 bits, half surrogate pairs, NUL; and for text that is no JSON, or nested deeper than MAX_DEPTH.
    """
    try:
        data = json.loads(body.decode(), parse_constant=_Bad, parse_float=_finite, parse_int=_int64)
    except UnicodeDecodeError as reason:
        raise Invalid(
            f"the body is not UTF-8: {reason.reason} at byte {reason.start}",
            remedy="send UTF-8",
            field="body",
        ) from reason
    except json.JSONDecodeError as reason:
        raise Invalid(
            f"the body is not JSON: {reason.msg} at line {reason.lineno} column {reason.colno}",
            remedy="send one JSON object",
            field="body",
        ) from reason
    except RecursionError as reason:
        raise _too_deep("body") from reason
    _check(data, nul=nul)
    return data


def _finite(text: str) -> float | _Bad:
    value = float(text)
    return value if math.isfinite(value) else _Bad(text)


def _int64(text: str) -> int | _Bad:
    if len(text) > 20:  # longer ones would cost time, the longest raise
        return _Bad(text)
    value = int(text)
    return value if INT_MIN <= value <= INT_MAX else _Bad(text)


def _check(data: Any, *, nul: bool) -> None:
    waiting: list[tuple[str, Any, int]] = [("", data, 0)]
    while waiting:
        path, value, depth = waiting.pop()
        if isinstance(value, str):
            _check_text(path, value, nul=nul)
        elif isinstance(value, _Bad):
            raise Invalid(
                f"{path or 'body'} is {value.text[:40]}, not a finite number of 64 bits",
                remedy="give a finite number",
                field=path or "body",
                value=value.text,
            )
        elif isinstance(value, (dict, list)):
            if depth >= MAX_DEPTH:
                raise _too_deep(path)
            prefix = f"{path}." if path else ""
            if isinstance(value, dict):
                for key in value:
                    _check_text(path or "body", key, nul=nul)
                waiting += [(f"{prefix}{key}", item, depth + 1) for key, item in value.items()]
            else:
                waiting += [
                    (f"{prefix}{i}", item, depth + 1)
                    for i, item in enumerate(value)
                    if type(item) is not int and type(item) is not float
                ]


def _check_text(path: str, text: str, *, nul: bool) -> None:
    if not nul and "\0" in text:
        raise Invalid(f"{path} holds a NUL character", remedy="leave it out", field=path)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as reason:
            raise Invalid(
                f"{path} holds half of a surrogate pair at character {reason.start}",
                remedy="send whole characters",
                field=path,
            ) from reason


def _too_deep(path: str) -> Invalid:
    return Invalid(
        f"the body is nested deeper than {MAX_DEPTH}", remedy="send a flatter object", field=path[:200]
    )


class StrictRequest(Request):
    """Reads no more than `limit` bytes, whatever the client announced."""

    limit = MAX_BODY
    nul = False

    async def body(self) -> bytes:
        if not hasattr(self, "_body"):
            self._body = await self._read()
        return self._body

    async def json(self) -> Any:
        body = await self.body()
        if isinstance(body, Refused):
            return body
        try:
            return parse(body, nul=self.nul)
        except ImfineError as error:
            return Refused(error)

    async def _read(self) -> bytes:
        read = bytearray()
        announced = self.headers.get("content-length", "")
        too_large = announced.isdecimal() and int(announced) > self.limit
        chunks = self.stream()
        async for chunk in chunks:
            read += chunk
            if len(read) > self.limit or (too_large and len(read) >= ENDS_BYTES):
                too_large = True
                break
        if not too_large:
            return bytes(read)
        refused = Refused(
            TooLarge(
                f"the body is larger than {self.limit:,} bytes",
                remedy="send less",
                field="body",
                limit_bytes=self.limit,
            )
        )
        tail = read[ENDS_BYTES:]
        self.scope["state"]["unread"] = not await drained(chunks, tail)
        refused.ends = bytes(read[:ENDS_BYTES] + b"\n" + tail[-ENDS_BYTES:])
        self.scope["state"]["refused"] = refused
        return refused


async def drained(chunks: AsyncIterator[bytes], tail: bytearray) -> bool:
    """Reads on and forgets all but the end, so that the client comes to read the answer. False: it has not
    finished."""
    left = DRAIN_BYTES
    try:
        async with asyncio.timeout(DRAIN_S):
            async for chunk in chunks:
                tail += chunk
                del tail[:-ENDS_BYTES]
                left -= len(chunk)
                if left < 0:
                    return False
    except (TimeoutError, ClientDisconnect):
        return False
    return True


class WorkerRequest(StrictRequest):
    limit = MAX_WORKER_BODY
    nul = True


class FileRequest(StrictRequest):
    limit = MAX_FILE


class StrictRoute(APIRoute):
    """A route whose body is read by `StrictRequest`."""

    request_class: type[StrictRequest] = StrictRequest

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def strictly(request: Request) -> Response:
            return await handle(self.request_class(request.scope, request.receive))

        return strictly


class WorkerRoute(StrictRoute):
    request_class = WorkerRequest


class FileRoute(StrictRoute):
    request_class = FileRequest
