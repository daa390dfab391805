"""Data sets: give one, list them, see one as a model reads it, take one away."""

from __future__ import annotations

import shutil
from pathlib import Path as FilePath
from typing import Annotated, Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import FileResponse, Response

from imfine.core.data.records import parse_columns
from imfine.core.families import TextLayout
from imfine.errors import Conflict, Invalid, NotFound
from imfine.server.artifacts import SHA256
from imfine.server.body import StrictRoute
from imfine.server.context import Context, Ctx
from imfine.server.datasets import no_dataset, too_large
from imfine.server.lifecycle import in_use, now_ms
from imfine.server.receiving import received
from imfine.server.responses import BINARY, FILE_BODY, Json, errors
from imfine.server.schemas import Dataset, DatasetList, DatasetPreview
from imfine.store import datasets

router = APIRouter(prefix="/api/datasets", tags=["datasets"], route_class=StrictRoute)

DatasetId = Annotated[str, Path(pattern=SHA256, description="the data set's id")]
PICTURE = r"^[0-9a-f]{64}\.(png|jpg|webp|bmp)$"
TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".bmp": "image/bmp"}
FILE: dict[int | str, dict[str, Any]] = {
    200: {"description": "the picture", "content": dict.fromkeys(TYPES.values(), BINARY)}
}
FOREVER = "private, max-age=31536000, immutable"


@router.post(
    "",
    status_code=201,
    response_model=Dataset,
    responses=errors(401, 403, 409, 413, 422, 429, 503, 507),
    openapi_extra=FILE_BODY,
    summary="Give data: the file is the body",
)
async def create(
    request: Request,
    ctx: Ctx,
    name: Annotated[
        str,
        Query(
            pattern=r"^[^\x00-\x1f\x7f]{1,200}$", description="the file's name; its ending helps to read it"
        ),
    ],
    columns: Annotated[
        str | None,
        Query(max_length=500, description="which column is which, e.g. prompt=question,completion=answer"),
    ] = None,
) -> Json:
    """JSON Lines, JSON, CSV, Parquet, plain text, or a zip of those or of pictures with captions; found out
    by content. The answer tells what is in it. Data that are here already are not kept twice. What cannot
    be read is 422, with lines and fields in `params.errors`, and nothing is kept."""
    mapping = None if columns is None else parse_columns(columns)
    async with received(request, ctx.datasets.upload, ctx.datasets.limit, too_large) as upload:
        about = await run_sync(ctx.datasets.store, upload.path, name, mapping)
    return Json(await run_sync(registered, ctx, about), status_code=201)


def registered(ctx: Context, about: dict[str, Any]) -> dict[str, Any]:
    """The data set that core has stored, in the database from now on. Raises: Conflict."""
    with ctx.store.writing, ctx.store.write() as connection:
        if not ctx.datasets.folder(about["hash"]).is_dir():
            raise Conflict("the data set was deleted while it was given", remedy="give it once more")
        datasets.put(connection, about, now_ms())
        found = datasets.get(connection, about["hash"])
    assert found is not None
    return found


@router.get(
    "",
    response_model=DatasetList,
    responses=errors(401, 403, 422, 429, 503),
    summary="The data sets, newest first",
)
def index(ctx: Ctx) -> Json:
    with ctx.store.read() as connection:
        return Json({"items": datasets.every(connection)})


@router.get(
    "/{id}", response_model=Dataset, responses=errors(401, 403, 404, 422, 429, 503), summary="One data set"
)
def show(id: DatasetId, ctx: Ctx) -> Json:
    return Json(_find(ctx, id))


@router.get(
    "/{id}/preview",
    response_model=DatasetPreview,
    responses=errors(401, 403, 404, 409, 422, 424, 429, 503),
    summary="The first rows, as a model reads them",
)
def preview(
    id: DatasetId,
    ctx: Ctx,
    *,
    model: Annotated[str | None, Query(min_length=1, max_length=500, description="a text model")] = None,
    length: Annotated[
        int | None,
        Query(ge=1, le=1 << 20, description="tokens of a row that are read; else what the model can"),
    ] = None,
    pixels: Annotated[
        int | None, Query(ge=8, le=2048, description="of pictures: the side to which they are cut")
    ] = None,
    rows: Annotated[int, Query(ge=1, le=20)] = 3,
) -> Json:
    """The pieces of a row joined are its text; those that are trained are marked (answers only). With a
    model: its own chat template, and the tokens of the first 2,000 rows. Pictures come as they were given; a
    model sees the middle of each as a square, upright, on white where it is transparent."""
    dataset = _find(ctx, id)
    folder, longest = (None, None) if model is None else _reader(ctx, dataset, model)
    shown = ctx.datasets.show(id, folder, length or longest, rows, pixels)
    for row in shown["rows"]:
        if "picture" in row:
            row["picture"]["url"] = f"/api/datasets/{id}/pictures/{row['picture'].pop('file')}"
    return Json(shown)


def _reader(ctx: Context, dataset: dict[str, Any], model: str) -> tuple[FilePath | None, int | None]:
    card, layout = ctx.catalog.find(model)
    if layout.kind != dataset["kind"]:
        raise Invalid(
            f"{card.id} is a model of the kind {layout.kind}, the data set of the kind {dataset['kind']}",
            remedy="choose another model, or other data",
            field="model",
            value=model,
        )
    if not isinstance(layout, TextLayout):
        return None, None
    if not card.ready or card.path is None or not FilePath(card.path).is_dir():
        raise Conflict(
            f"{card.id} is not on this disk yet, so its tokenizer is not known",
            remedy=f"run it once, or fetch it with: imfine pull {card.id}",
            field="model",
            value=card.id,
        )
    return FilePath(card.path), layout.context_length


@router.get(
    "/{id}/pictures/{file}",
    response_class=FileResponse,
    responses=FILE | errors(401, 403, 404, 422, 429, 503),
    summary="A picture of a data set",
)
def picture(
    id: DatasetId,
    file: Annotated[str, Path(pattern=PICTURE, description="as the preview names it")],
    ctx: Ctx,
) -> FileResponse:
    path = ctx.datasets.folder(id) / "pictures" / file
    if not path.is_file():
        raise NotFound(
            f"there is no picture {file} in data set {id}",
            remedy="see GET /api/datasets/{id}/preview",
            field="file",
            value=file,
        )
    return FileResponse(path, media_type=TYPES[path.suffix], headers={"Cache-Control": FOREVER})


@router.delete(
    "/{id}",
    status_code=204,
    responses=errors(401, 403, 404, 409, 422, 429, 503),
    summary="Delete a data set that no run uses",
)
def delete(id: DatasetId, ctx: Ctx) -> Response:
    with ctx.store.writing:
        with ctx.store.write() as connection:
            if datasets.get(connection, id) is None:
                raise no_dataset(id, "id")
            if (run := datasets.user_of(connection, id)) is not None:
                raise in_use(run, f"trains on data set {id}", id)
            datasets.remove(connection, id)
        gone = ctx.datasets.take_away(id)
    shutil.rmtree(gone, ignore_errors=True)
    return Response(status_code=204)


def _find(ctx: Context, id: str) -> dict[str, Any]:
    with ctx.store.read() as connection:
        found = datasets.get(connection, id)
    if found is None:
        raise no_dataset(id, "id")
    return found
