"""Data sets of the Hugging Face Hub, named as it names them: hf://datasets/owner/name[@revision][/folder].

Their files go into the Hub's own cache and are read from there like any others. Knows names and sizes; what
is in a file, `ingest` finds out.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from imfine.core.data import pictures
from imfine.core.events import Phase
from imfine.core.models import hub
from imfine.errors import DataError, Invalid

SCHEME = "hf://"
URI = re.compile(
    r"hf://datasets/(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})"
    r"(?:@(?P<revision>[A-Za-z0-9][\w.-]{0,150}))?(?:/(?P<under>[\w./ +-]{1,300}))?",
    re.ASCII,
)
# Of tables one kind is taken, the first there is.
TABLES = (".parquet", ".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt")
SETTINGS = ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")


def here(data: Sequence[str | Path]) -> Iterator[Phase | dict[Path, str]]:
    """Fetches what is named on the Hub; yields bytes, and last every path here with what it is called.

    Raises: Invalid, NotFound, ModelGated, NoNetwork, DataError (nothing in it is read), SetupError (disk).
    """
    found: dict[Path, str] = {}
    for each in data:
        if str(each).startswith(SCHEME):
            found |= yield from _fetched(str(each))
        else:
            found[Path(each)] = Path(each).name
    yield found


def _fetched(uri: str) -> Generator[Phase, None, dict[Path, str]]:
    match = URI.fullmatch(uri)
    if match is None or ".." in uri:
        raise Invalid(
            f"{uri!r:.200} is not the name of a data set",
            remedy="write hf://datasets/owner/name, with @revision and /folder where they are needed",
            field="data",
            value=uri[:200],
        )
    ref = hub.Ref(match["repo"], None, match["revision"], "dataset")
    remote = hub.ask_dataset(ref, lambda sizes: wanted(ref.repo, sizes, match["under"] or ""))
    yield from hub.fetch(remote)
    return {hub.download(remote, name, None): name for name in remote.files}


def wanted(repo: str, sizes: Mapping[str, int], under: str = "") -> dict[str, int]:
    """The files to learn from: pictures with captions, else tables of one kind, those of the train split
    where one is named so. Raises: DataError."""
    inside = {
        name: size
        for name, size in sizes.items()
        if (not under or name == under or name.startswith(f"{under.rstrip('/')}/"))
        and PurePosixPath(name).name not in SETTINGS
        and not any(part.startswith(".") for part in PurePosixPath(name).parts)
    }
    kinds = {name: PurePosixPath(name).suffix.lower() for name in inside}
    if any(kind in pictures.SUFFIXES for kind in kinds.values()):
        return {
            name: inside[name]
            for name, kind in kinds.items()
            if kind in (*pictures.SUFFIXES, *pictures.CAPTIONS) or name.endswith(pictures.METADATA)
        }
    chosen = next((kind for kind in (*TABLES, ".zip") if kind in kinds.values()), None)
    if chosen is None:
        raise DataError(
            f"{repo}{'/' * bool(under)}{under} has no file of data that is read here",
            remedy="choose one with Parquet, JSON Lines, CSV, text or pictures, or name its folder: "
            f"hf://datasets/{repo}/FOLDER",
            field="data",
            value=repo,
        )
    names = [name for name, kind in kinds.items() if kind == chosen]
    train = [name for name in names if "train" in name.lower()]
    return {name: inside[name] for name in train or names}
