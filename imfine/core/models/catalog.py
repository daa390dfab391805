"""What models there are: starters, folders, the Hub's cache, and some worth fetching.
Finds, checks and describes them.

Plain Python, and quick: cards come from configs and headers alone. Loads nothing (models.py) and fetches
nothing but a repository's small configs (hub.py). Names that the page sends may lead only below the folders
it is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from imfine.core import memory
from imfine.core.families import Layout, TextLayout, layout
from imfine.core.models import hub
from imfine.core.models.folders import ADAPTERS, NAME, NAME_LENGTH, read_origin
from imfine.core.models.known import ALIASES, KNOWN, SHIPPED, STARTERS, Known, Starter, starter
from imfine.core.models.local import Local, is_model, norm_eps, read_config, read_local
from imfine.errors import Conflict, ImfineError, Invalid, ModelNotFound, ModelRefused
from imfine.settings import Settings

Source = Literal["starter", "made", "hub", "local"]


@dataclass(frozen=True)
class Card:
    """One model as it can be shown and chosen. Sizes in bytes; memory_needed is for `dtype`, both lanes
    running."""

    id: str
    name: str
    family: str | None
    architecture: str | None
    source: Source
    path: str | None
    ready: bool  # whole, on this disk
    parameters: int | None
    size_on_disk: int | None
    expanded_size: int | None  # a file's, once it is kept as a folder
    download_size: int | None  # what is still to be fetched
    memory_needed: int | None
    dtype: str
    fits: bool
    reason: dict[str, Any] | None  # why it cannot be used, as an error
    licence: str | None
    languages: list[str] | None
    layers: int | None
    context_length: int | None
    gated: bool
    starter: bool
    revision: str | None
    image: dict[str, Any] | None = None  # how an image model's makers advise to draw: steps, guidance

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def check_name(name: str, settings: Settings) -> None:
    """Raises: Invalid when no model that is made here can be called so, Conflict when an adapter is."""
    can_be = NAME.fullmatch(name) and len(name) <= NAME_LENGTH
    if not can_be or starter(name) is not None or (SHIPPED / name).exists():
        raise Invalid(
            f"a model cannot be called {name!r:.220}",
            remedy=f"give a name of at most {NAME_LENGTH} letters, digits, spaces, + - _ and . "
            "that no starter has",
            field="name",
            value=name,
        )
    if (settings.home / ADAPTERS / name).exists():
        raise Conflict(
            f"there is an adapter called {name!r} already",
            remedy="choose another name: both would be knobs of one model",
            field="name",
            value=name,
        )


def cards(settings: Settings) -> list[Card]:
    """Every model at hand, then those worth fetching. One that cannot be used is listed with its reason."""
    found: dict[str, Card] = {}
    for each in STARTERS:
        found[each.id] = _starter_card(each, settings)
    for name, path, source in _folders(settings):
        found.setdefault(name, _try_card(name, path, source, settings))
    for repo, path in hub.cached():
        if is_model(path):
            found.setdefault(repo, _try_card(repo, path, "hub", settings))
    for known in KNOWN:
        if known.id not in found:
            found[known.id] = _known_card(known, settings)
    return sorted(found.values(), key=lambda card: (not card.starter, not card.ready))


def find(ref: str, settings: Settings, *, any_folder: bool, revision: str | None = None) -> Card:
    """The card of a starter's id, a folder's name, a path, or `owner/name[/file.gguf][@revision]` on the Hub.

    `any_folder`: a path may lead anywhere (command line, Python); else only below the models directories
    and the Hub's cache. Raises: ModelNotFound, ModelGated, NoNetwork, ModelRefused, ModelBroken,
    UnsupportedArchitecture.
    """
    return find_here(ref, settings, any_folder=any_folder) or find_on_hub(ref, settings, revision)


def find_on_hub(ref: str, settings: Settings, revision: str | None = None) -> Card:
    """The card of what `find_here` does not know. Raises: as `find`."""
    ref = ALIASES.get(ref, ref)
    parsed = hub.parse(f"{ref}@{revision}" if revision and "@" not in ref else ref)
    if parsed is None:
        raise ModelNotFound(
            f"there is no model {ref!r:.120}",
            remedy="see imfine models for those at hand, or name one on the Hub as owner/name",
            field="model",
            value=ref,
        )
    return _hub_card(parsed, settings)


def find_here(ref: str, settings: Settings, *, any_folder: bool) -> Card | None:
    """The card of a starter's id, a folder's name or a path, for which nobody is asked; None: it is none.

    Raises: as `find`.
    """
    _check_name(ref, any_folder)
    if (each := starter(ref)) is not None:
        return _starter_card(each, settings)
    for name, path, source in _folders(settings):
        if name == ref:
            return _card(name, path, source, settings)
    if ref.startswith(("/", ".", "~")) or (any_folder and is_model(Path(ref))):
        path = _path(ref, settings, any_folder)
        return _card(_name_of(path, settings), path, "local", settings)
    return None


def inspect(
    ref: str, settings: Settings, *, any_folder: bool = True, revision: str | None = None
) -> dict[str, Any]:
    """{card, layout, tensors: {name: {shape, dtype}}, memory: {dtype: bytes}} from config and headers alone.

    `tensors` is {} for a model that is not on this disk. Raises as `find` does.
    """
    card = find(ref, settings, any_folder=any_folder, revision=revision)
    where, tensors = describe(card)
    return {
        "card": card.to_json(),
        "layout": where.to_json(),
        "tensors": tensors,
        "memory": {dtype: memory.needed(card.parameters or 0, where, dtype) for dtype in memory.DTYPE_BYTES},
    }


def describe(card: Card) -> tuple[Layout, dict[str, dict[str, Any]]]:
    """A found model's layout, and its tensors as {name: {shape, dtype}}.

    Raises: ModelBroken, ModelRefused, UnsupportedArchitecture.
    """
    if card.path is not None and card.ready:
        local = read_local(Path(card.path))
        if local.tensors is None:
            return local.layout, _gguf_tensors(local)
        return local.layout, {
            name: {"shape": list(tensor.shape), "dtype": tensor.dtype}
            for name, tensor in local.tensors.items()
        }
    return layout(_config(card)), {}


def shapes_of(card: Card) -> tuple[dict[str, Any], dict[str, tuple[int, ...]] | None]:
    """A found model's config, and its parameters' shapes by their stored names; None: no file tells them, the
    config has to.

    Raises: ModelNotFound where there is not even a config, and as `describe`.
    """
    if card.path is None or not card.ready:
        return _config(card), None
    local = read_local(Path(card.path))
    if local.tensors is None:
        return local.config, None
    return local.config, {name: tensor.shape for name, tensor in local.tensors.items()}


def layout_of(card: Card) -> Layout:
    """A found model's layout from its config alone: what a recipe is checked against.

    Raises: ModelBroken, UnsupportedArchitecture.
    """
    if card.path is not None and Path(card.path).is_dir():
        return layout(read_config(Path(card.path)), norm_eps(Path(card.path)))
    return describe(card)[0]


def _config(card: Card) -> dict[str, Any]:
    if card.path is not None:
        return read_config(Path(card.path))
    each = starter(card.id) or next((known for known in KNOWN if known.id == card.id), None)
    if each is None:  # a GGUF file on the Hub tells nothing before it is here
        raise ModelNotFound(
            f"{card.id} is not on this machine",
            remedy=f"run imfine pull {card.id}",
            field="model",
            value=card.id,
        )
    return each.config


def _gguf_tensors(local: Local) -> dict[str, dict[str, Any]]:
    """A GGUF file's tensors under the names they will have as safetensors; dtype is the file's."""
    from gguf.constants import MODEL_ARCH_NAMES, GGMLQuantizationType
    from gguf.tensor_mapping import get_tensor_name_map

    from imfine.core.models.gguf import read_gguf

    gguf, where = read_gguf(local.path), local.layout
    arch = next(
        key for key, name in MODEL_ARCH_NAMES.items() if name == gguf.metadata["general.architecture"]
    )
    names = get_tensor_name_map(arch, where.layers)
    ours = {
        names.get_name(module): module
        for band in where.bands
        for module in (*(name for name, _ in band.matrices), *band.norms, *band.point_norms.values())
    }
    matrices = {name for band in where.bands for name, _ in band.matrices}
    found = {}
    for tensor in gguf.tensors.values():
        stem, _, suffix = tensor.name.rpartition(".")
        module = ours.get(stem, stem)
        turned = where.transposed and module in matrices and suffix == "weight"
        shape = tensor.shape[::-1] if turned else tensor.shape
        found[f"{module}.{suffix}"] = {"shape": list(shape), "dtype": GGMLQuantizationType(tensor.kind).name}
    return found


# --- names and paths
# ---------------------------------------------------------------------------------------------


def _check_name(ref: str, any_folder: bool) -> None:
    """Raises: ModelRefused for a name that no model has and that only tries doors."""
    odd = not ref.isprintable() or len(ref) > 1000 or (("%" in ref or "\\" in ref) and not any_folder)
    climbs = not any_folder and ".." in ref.split("/")
    if odd or climbs or not ref.strip():
        raise _refused(ref)


def _refused(ref: str) -> ModelRefused:
    return ModelRefused(
        f"{ref!r:.120} is not a model that may be named here",
        remedy="choose one of the list, name a Hub model as owner/name, or add a folder to IMFINE_MODEL_DIRS",
        field="model",
        value=repr(ref)[:120],
    )


def _path(ref: str, settings: Settings, any_folder: bool) -> Path:
    """A path as given. For the page: only if it lies, links followed, below an allowed folder; whether
    anything exists elsewhere is not told."""
    if any_folder:
        return Path(ref).expanduser()
    path = Path(ref)
    roots = [root.resolve() for root in (settings.models_dir, *settings.model_dirs, hub.cache_dir())]
    if not path.is_absolute() or not any(path.resolve().is_relative_to(root) for root in roots):
        raise _refused(ref)
    return path


def _name_of(path: Path, settings: Settings) -> str:
    """The shortest name that finds this path again: its folder's name in a models directory, or the path."""
    real = path.resolve()
    for each in STARTERS:
        if (settings.models_dir / each.id).resolve() == real:
            return each.id
    return next(
        (name for name, other, _ in _folders(settings) if other.resolve() == real), str(path.absolute())
    )


def _folders(settings: Settings) -> Iterator[tuple[str, Path, Source]]:
    """(name, path, source) of the models in the models directories. A name taken already becomes the whole
    path."""
    seen = {each.id for each in STARTERS}
    homes: list[tuple[Path, Source]] = [(SHIPPED, "starter"), (settings.models_dir, "made")]
    homes += [(folder.expanduser(), "local") for folder in settings.model_dirs]
    for home, source in homes:
        try:
            paths = sorted(home.iterdir())
        except OSError:  # not made yet, or not ours to read
            continue
        root = home.resolve()
        for path in paths:
            if not NAME.fullmatch(path.name) or not is_model(path):
                continue
            if starter(path.name) is not None and source == "made":
                continue
            if not path.resolve().is_relative_to(root):  # a link out of its root
                continue
            name = path.name if path.name not in seen else str(path.absolute())
            seen.add(name)
            yield name, path, source


# --- cards
# -------------------------------------------------------------------------------------------------------


def _card(name: str, path: Path, source: Source, settings: Settings) -> Card:
    local = read_local(path)
    facts = local.facts
    return _filled(
        Card(
            **_empty(name, source),
            **_sizes(local.layout, local.parameters, settings),
        ),
        name=str(facts.get("name") or name.rpartition("/")[2]),
        path=str(path),
        ready=True,
        size_on_disk=local.size_on_disk,
        expanded_size=local.expanded_size,
        download_size=0,
        licence=facts.get("licence"),
        languages=facts.get("languages"),
        revision=facts.get("revision"),
        image=facts.get("image"),
    )


def _empty(name: str, source: Source) -> dict[str, Any]:
    """What a card says of a model of which only the name is known, but for what `_sizes` tells."""
    return {
        "id": name,
        "name": name.rpartition("/")[2],
        "source": source,
        "path": None,
        "ready": False,
        "size_on_disk": None,
        "expanded_size": None,
        "download_size": None,
        "reason": None,
        "licence": None,
        "languages": None,
        "gated": False,
        "starter": source == "starter",
        "revision": None,
        "image": None,
    }


def _sizes(where: Layout | None, parameters: int | None, settings: Settings) -> dict[str, Any]:
    dtype = memory.default_dtype()
    need = memory.needed(parameters, where, dtype) if where and parameters else None
    return {
        "family": where.family if where else None,
        "architecture": where.architecture if where else None,
        "layers": where.layers if where else None,
        "context_length": where.context_length if isinstance(where, TextLayout) else None,
        "parameters": parameters,
        "memory_needed": need,
        "dtype": dtype,
        "fits": need is not None and need <= memory.budget(settings.memory_budget_gib),
    }


def _filled(card: Card, **facts: Any) -> Card:
    return replace(card, **facts)


def _try_card(name: str, path: Path, source: Source, settings: Settings) -> Card:
    """The card of a model for a list: with the reason where it cannot be used."""
    try:
        card = _card(name, path, source, settings)
    except ImfineError as error:
        return Card(
            **{**_empty(name, source), "path": str(path), "reason": error.to_json()},
            **_sizes(None, None, settings),
        )
    known = next((known for known in KNOWN if known.id == name), None)
    return _with_known(card, known)


def _with_known(card: Card, known: Known | None) -> Card:
    """Our table knows better than a README's front matter, which often names one language of many."""
    if known is None:
        return card
    return replace(
        card, name=known.name, licence=known.licence, languages=list(known.languages), gated=known.gated
    )


def _starter_card(each: Starter, settings: Settings) -> Card:
    folder = settings.models_dir / each.id
    sizes = _sizes(layout(each.config), each.parameters, settings)
    card = Card(**_empty(each.id, "starter"), **sizes)
    facts: dict[str, Any] = {
        "name": each.name,
        "licence": each.licence,
        "languages": list(each.languages),
        "revision": each.requirement.partition("==")[2],
    }
    if read_origin(folder) is None:
        return replace(card, download_size=each.wheel_bytes, **facts)
    return replace(_card(each.id, folder, "starter", settings), **facts)


def _known_card(known: Known, settings: Settings) -> Card:
    sizes = _sizes(layout(known.config), known.parameters, settings)
    return _with_known(
        replace(Card(**_empty(known.id, "hub"), **sizes), download_size=known.download_size), known
    )


def _hub_card(ref: hub.Ref, settings: Settings) -> Card:
    """A Hub repository: from the cache if it is whole there, from our table, else by asking the Hub."""
    name = ref.repo + (f"/{ref.file}" if ref.file else "") + (f"@{ref.revision}" if ref.revision else "")
    known = next((known for known in KNOWN if known.id == ref.repo and not ref.file), None)
    folder = hub.snapshot(ref)
    path = folder / ref.file if folder and ref.file else folder
    if folder is not None and path is not None and hub.is_whole(folder, ref):
        return replace(_with_known(_card(name, path, "hub", settings), known), revision=folder.name)
    if known is not None and ref.revision is None:
        return _known_card(known, settings)
    remote = hub.ask(ref)
    where, parameters, config_folder = None, remote.parameters, None
    if ref.file is None:
        config_folder = hub.check_configs(remote)
        where = layout(read_config(config_folder))
    if parameters is None:  # 16 bits a weight, as nearly all are kept
        parameters = (
            sum(size for file, size in remote.files.items() if file.endswith(".safetensors")) // 2 or None
        )
    return replace(
        Card(**_empty(name, "hub"), **_sizes(where, parameters, settings)),
        path=str(config_folder) if config_folder else None,
        download_size=sum(remote.files.values()),
        licence=remote.licence,
        languages=remote.languages,
        gated=remote.gated,
        revision=remote.commit,
    )
