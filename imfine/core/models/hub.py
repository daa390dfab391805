"""The Hugging Face Hub: what a repository has, its safe files fetched into the standard cache, three clear
errors.

HF_HOME, HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE mean what they mean elsewhere. Only the files a model needs
are ever fetched (repository.py). Knows no torch, and not what is done with a model.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from imfine.core.events import Phase
from imfine.core.models import repository
from imfine.core.models.folders import need_disk
from imfine.core.models.local import check_code, has_tokenizer, is_model, languages_of
from imfine.core.models.pictures import is_picture_model, is_whole_picture_model
from imfine.core.models.weights import weight_files
from imfine.errors import Invalid, ModelGated, ModelNotFound, ModelRefused, NoNetwork, NotFound, SetupError

REF = re.compile(
    r"(?P<repo>[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})"
    r"(?:/(?P<file>[\w.-]{1,150}\.gguf))?(?:@(?P<revision>[A-Za-z0-9][\w./-]{0,150}))?",
    re.ASCII,
)
TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Ref:
    """owner/name[/file.gguf][@revision]"""

    repo: str
    file: str | None
    revision: str | None
    repo_type: Literal["model", "dataset"] = "model"

    @property
    def url(self) -> str:
        from huggingface_hub import constants

        return f"{constants.ENDPOINT}/{'datasets/' * (self.repo_type == 'dataset')}{self.repo}"

    @property
    def what(self) -> str:
        return {"model": "model", "dataset": "data set"}[self.repo_type]

    @property
    def field(self) -> str:
        """Under which it was given."""
        return {"model": "model", "dataset": "data"}[self.repo_type]


@dataclass(frozen=True)
class Remote:
    """What the Hub says of a repository before anything is fetched."""

    ref: Ref
    commit: str
    files: dict[str, int]  # the files we would fetch, and their bytes
    parameters: int | None
    gated: bool
    licence: str | None
    languages: list[str] | None


def parse(text: str) -> Ref | None:
    match = REF.fullmatch(text)
    if match is None or ".." in text:
        return None
    return Ref(match["repo"], match["file"], match["revision"])


def cache_dir() -> Path:
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def snapshot(ref: Ref) -> Path | None:
    """The folder of a repository's revision in the cache, whole or not; None: nothing of it is here."""
    base = cache_dir() / f"models--{ref.repo.replace('/', '--')}"
    revision = ref.revision or "main"
    try:
        commit = (base / "refs" / revision).read_text().strip()
    except OSError:
        commit = revision
    folder = base / "snapshots" / commit
    return folder if "/" not in commit and folder.is_dir() else None


def is_whole(folder: Path, ref: Ref) -> bool:
    """All weights and the tokenizer of a snapshot are here (a cancelled download leaves some of them)."""
    if ref.file is not None:
        return (folder / ref.file).exists()
    if is_picture_model(folder):
        return is_whole_picture_model(folder)
    if not (folder / "config.json").exists():
        return False
    files = weight_files(folder)
    return bool(files) and all(file.exists() for file in files) and has_tokenizer(folder)


def cached() -> list[tuple[str, Path]]:
    """(owner/name, snapshot of `main`) of every model repository in the cache."""
    found = []
    for base in sorted(cache_dir().glob("models--*--*")):
        repo = base.name.removeprefix("models--").replace("--", "/", 1)
        folder = snapshot(Ref(repo, None, None))
        if folder is not None:
            found.append((repo, folder))
    return found


def ask(ref: Ref) -> Remote:
    """Files, sizes and terms of a repository.

    Raises: ModelNotFound, ModelGated, NoNetwork, ModelRefused (nothing in it that can be opened safely).
    """
    from huggingface_hub import HfApi

    with translated(ref):
        info = HfApi().model_info(ref.repo, revision=ref.revision, files_metadata=True, timeout=TIMEOUT_S)
    sizes = {file.rfilename: int(file.size or 0) for file in info.siblings or []}
    data = info.card_data.to_dict() if info.card_data else {}
    counts = info.safetensors.total if info.safetensors else (info.gguf or {}).get("total")
    licence = data.get("license")
    return Remote(
        ref=ref,
        commit=info.sha or ref.revision or "main",
        files=_wanted(ref, sizes),
        parameters=int(counts) if counts else None,
        gated=bool(info.gated),
        licence=licence if isinstance(licence, str) else None,
        languages=languages_of(data.get("language")),
    )


def ask_dataset(ref: Ref, wanted: Callable[[Mapping[str, int]], dict[str, int]]) -> Remote:
    """Files, sizes and terms of a repository of data; `wanted` chooses among its files.

    Raises: NotFound, ModelGated, NoNetwork, and what `wanted` raises.
    """
    from huggingface_hub import HfApi

    with translated(ref):
        info = HfApi().dataset_info(ref.repo, revision=ref.revision, files_metadata=True, timeout=TIMEOUT_S)
    sizes = {file.rfilename: int(file.size or 0) for file in info.siblings or []}
    commit = info.sha or ref.revision or "main"
    return Remote(replace(ref, revision=commit), commit, wanted(sizes), None, bool(info.gated), None, None)


def _wanted(ref: Ref, sizes: dict[str, int]) -> dict[str, int]:
    """The GGUF file that is named, else what `repository.wanted` says."""
    if ref.file is None:
        return repository.wanted(ref.repo, sizes)
    if ref.file not in sizes:
        raise ModelNotFound(
            f"{ref.repo} has no file {ref.file}",
            remedy="name one of: " + (", ".join(name for name in sizes if name.endswith(".gguf")) or "none"),
            field="model",
            value=ref.repo,
        )
    return {ref.file: sizes[ref.file]}


def _fetch_configs(remote: Remote) -> Path | None:
    """The small configs alone, so that a model is judged before gigabytes come; their snapshot folder."""
    folder = None
    for name in repository.small(remote.files):
        folder = download(remote, name, None).parents[name.count("/")]
    return folder


def check_configs(remote: Remote) -> Path:
    """Fetches and judges the small configs. Raises: ModelRefused (code of its own), ModelNotFound (no
    config)."""
    folder = _fetch_configs(remote)
    if folder is None or not is_model(folder):
        raise ModelNotFound(
            f"{remote.ref.repo} has neither config.json nor model_index.json",
            remedy="choose a text model that transformers can load, or a Stable Diffusion of diffusers",
            field="model",
            value=remote.ref.repo,
        )
    check_code(folder)
    return folder


def fetch(remote: Remote) -> Iterator[Phase]:
    """All wanted files into the cache; whatever is there already is not fetched again, what is half there
    goes on.

    Yields bytes. Raises: NoNetwork, ModelGated, ModelNotFound, SetupError (disk).
    """
    total = sum(remote.files.values())
    need_disk(cache_dir(), total, remote.ref.repo)
    meter = _Meter()
    stop = threading.Event()

    def work() -> None:
        done = 0
        for name, size in sorted(remote.files.items(), key=lambda item: item[1]):
            if stop.is_set():
                return
            meter.base, meter.now = done, 0
            download(remote, name, meter.bar(stop))
            done += size
        meter.base, meter.now = total, 0

    yield Phase("downloading", 0, total, "bytes")
    with ThreadPoolExecutor(1, "hub") as pool:
        job = pool.submit(work)
        try:
            while not job.done():
                stop.wait(0.1)
                yield Phase("downloading", min(total, meter.base + meter.now), total, "bytes")
        finally:
            stop.set()
        job.result()
    yield Phase("downloading", total, total, "bytes")


class _Stopped(Exception):
    """The one who asked for a download has left."""


class _Meter:
    """Bytes of the file that is coming, told by huggingface_hub through the tqdm it is given."""

    def __init__(self) -> None:
        self.base = self.now = 0

    def bar(self, stop: threading.Event) -> type:
        meter = self

        class Bar:
            def __init__(self, *_: Any, initial: int = 0, **__: Any) -> None:
                meter.now = int(initial or 0)

            def __enter__(self) -> Bar:
                return self

            def __exit__(self, *_: object) -> None:
                return None

            def update(self, count: float | None = 1) -> None:
                meter.now += int(count or 0)
                if stop.is_set():
                    raise _Stopped

            def __getattr__(self, _: str) -> Any:  # close, refresh, set_description …: nothing to show
                return lambda *_, **__: None

        return Bar


def download(remote: Remote, name: str, bar: type | None) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    with translated(remote.ref):
        # by commit, but "main" where the Hub gave none: then refs/ is written too
        revision = remote.ref.revision or "main"
        found = hf_hub_download(
            remote.ref.repo,
            name,
            repo_type=remote.ref.repo_type,
            revision=revision,
            etag_timeout=TIMEOUT_S,
            tqdm_class=bar,
        )
    return Path(str(found))


@contextmanager
def translated(ref: Ref) -> Iterator[None]:
    """huggingface_hub's errors as ours: not there, gated, not reachable."""
    import httpx2
    from huggingface_hub import errors

    missing, refused = (ModelNotFound, ModelRefused) if ref.repo_type == "model" else (NotFound, Invalid)

    try:
        yield
    except errors.GatedRepoError as error:
        raise ModelGated(
            f"{ref.repo} asks you to accept its terms first",
            remedy=f"accept them at {ref.url}, then set HF_TOKEN to a token of yours",
            field=ref.field,
            value=ref.repo,
            url=ref.url,
        ) from error
    except errors.RevisionNotFoundError as error:
        raise missing(
            f"{ref.repo} has no revision {ref.revision}",
            remedy=f"see its branches and tags at {ref.url}/tree/main",
            field="revision",
            value=ref.revision,
        ) from error
    except (errors.RepositoryNotFoundError, errors.RemoteEntryNotFoundError) as error:
        raise missing(
            f"the Hub has no {ref.what} {ref.repo}, or it is private",
            remedy=f"check the spelling; for a private {ref.what} set HF_TOKEN",
            field=ref.field,
            value=ref.repo,
            url=ref.url,
        ) from error
    except errors.HFValidationError as error:
        raise refused(str(error), remedy=f"a Hub {ref.what} is named owner/name", field=ref.field) from error
    except (errors.OfflineModeIsEnabled, errors.LocalEntryNotFoundError, httpx2.TransportError) as error:
        # a file that is refused looks like one that is not here: the Hub's answer is the cause
        status = getattr(getattr(error.__cause__, "response", None), "status_code", None)
        if status in (401, 403):
            raise _no_access(ref, status) from error
        offline = isinstance(error, errors.OfflineModeIsEnabled)
        raise NoNetwork(
            f"{ref.repo} is not on this machine, and the Hub "
            + ("is switched off by HF_HUB_OFFLINE" if offline else f"cannot be reached ({_reason(error)})"),
            remedy="unset HF_HUB_OFFLINE"
            if offline
            else f"connect to the network, or choose a {ref.what} that is here",
            field=ref.field,
            value=ref.repo,
        ) from error
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else "no answer"
        if status in (401, 403):
            raise _no_access(ref, status) from error
        raise NoNetwork(
            f"the Hub answered {status} for {ref.repo}",
            remedy="try again in a while",
            field=ref.field,
            value=ref.repo,
        ) from error
    except OSError as error:
        if error.errno == 28:
            raise SetupError(
                f"the disk is full ({cache_dir()})", remedy="free some space, then pull again"
            ) from error
        raise


def _no_access(ref: Ref, status: object) -> ModelGated:
    return ModelGated(
        f"the Hub refuses access to {ref.repo} ({status})",
        remedy=f"accept its terms at {ref.url}, and set HF_TOKEN to a token that may read it",
        field=ref.field,
        value=ref.repo,
        url=ref.url,
    )


def _reason(error: BaseException) -> str:
    return str(error.__cause__ or error).splitlines()[0][:120]
