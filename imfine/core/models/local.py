"""A folder or a file as a model: is it safe to open, is it whole, what does it say of itself.
Plain Python.

Nothing of a model is executed, not even for a preview: pickled weights, code of its own (`auto_map`) and
links that lead out of the folder are refused. Does not know how a model got here nor who may name it
(catalog.py).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imfine.core.families import Layout, TextLayout, layout
from imfine.core.image.sampling import RANGES
from imfine.core.models.folders import read_origin
from imfine.core.models.gguf import config_of, read_gguf
from imfine.core.models.pictures import is_picture_model, parts_of, read_configs, tokenizers_of
from imfine.core.models.single_file import PICKLES, read_single_file
from imfine.core.models.weights import (
    INDEX,
    TensorInfo,
    broken,
    parameters_of,
    read_folder,
    read_json,
    weight_files,
)
from imfine.core.quantised import as_plain, method_of
from imfine.errors import ModelNotFound, ModelRefused

FILES = (".gguf", ".safetensors", *PICKLES)  # models by themselves; a pickle is refused with its reason
PICKLED = (*PICKLES, ".h5", ".msgpack")
CONFIGS = ("config.json", "tokenizer_config.json", "generation_config.json", "processor_config.json")
TOKENIZERS = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"), ("vocab.txt",))
MAX_README = 1 << 16  # bytes of README.md that may hold its front matter
EXTRA = "imfine.json"  # what plain formats cannot say: an eps for each norm


@dataclass(frozen=True)
class Local:
    """What a model on this disk says of itself."""

    path: Path
    config: dict[str, Any]
    layout: Layout
    tensors: dict[str, TensorInfo] | None  # None: a GGUF file, whose tensors have other names
    parameters: int
    size_on_disk: int
    expanded_size: int | None  # of a file, once it is kept as a folder
    facts: dict[str, Any]  # name, licence, languages, revision, image: of origin.json, else of README.md


def read_local(path: Path) -> Local:
    """Checks and describes a model's folder or file, from config and headers.

    Raises: ModelNotFound, ModelRefused, ModelBroken, UnsupportedArchitecture.
    """
    if path.is_file() and path.suffix == ".gguf":
        return _gguf(path)
    if path.is_file() and path.suffix in FILES:
        return _single(path)
    if path.is_dir() and is_picture_model(path):
        return _pictures(path)
    if not path.is_dir() or not (path / "config.json").exists():
        raise ModelNotFound(
            f"{path.name} holds no model",
            remedy="name a folder with config.json and .safetensors files, a .gguf file, "
            "or an image model's .safetensors file",
            field="model",
            value=str(path),
        )
    check_links(path)
    config = read_json(path / "config.json")
    check_code(path)
    check_pickles(path, [file.name for file in path.iterdir()])
    where = layout(config, norm_eps(path))
    check_tokenizer(path)
    return _folder(path, config, where)


def _pictures(path: Path) -> Local:
    index = read_json(path / INDEX)
    parts, tokenizers = parts_of(index), tokenizers_of(path, index)
    for folder in (path, *(path / part for part in parts), *tokenizers):
        if not folder.is_dir():
            raise broken(path, f"it has no folder {folder.name}")
        check_links(folder, root_of(path))
    config = read_configs(path)
    for part in parts:
        check_code(path / part)
        check_pickles(path / part, [file.name for file in (path / part).iterdir()], f"{told(path)}/{part}")
    where = layout(config, norm_eps(path))
    for tokenizer in tokenizers:
        check_tokenizer(tokenizer)
    return _folder(path, config, where)


def _folder(path: Path, config: dict[str, Any], where: Layout) -> Local:
    """What a folder says of itself that has been found safe and whole."""
    tied = isinstance(where, TextLayout) and where.tied_embeddings
    stored = read_folder(path)
    if method_of(config) == "bitsandbytes" and isinstance(where, TextLayout):
        stored = as_plain(stored, transposed=where.transposed)
    tensors = parameters_of(stored, tied)
    files = path.rglob("*") if where.kind == "image" else path.iterdir()
    return Local(
        path=path,
        config=config,
        layout=where,
        tensors=tensors,
        parameters=sum(tensor.size for tensor in tensors.values()),
        size_on_disk=sum(file.stat().st_size for file in files if file.is_file()),
        expanded_size=None,
        facts=read_origin(path) or front_matter(path / "README.md"),
    )


def read_config(folder: Path) -> dict[str, Any]:
    """config.json, or all configs of an image model. Raises: ModelBroken, ModelRefused."""
    return read_configs(folder) if is_picture_model(folder) else read_json(folder / "config.json")


def is_model(path: Path) -> bool:
    """By its names alone; `read_local` tells whether it can be used."""
    if path.is_dir():
        return (path / "config.json").is_file() or is_picture_model(path)
    return path.suffix in FILES and path.is_file()


def _gguf(path: Path) -> Local:
    gguf = read_gguf(path)
    config = config_of(gguf)
    parameters = sum(tensor.size for tensor in gguf.tensors.values())
    largest = max(gguf.tensors.values(), key=lambda tensor: tensor.size)
    item = 4 if largest.kind == 0 else 2  # kept as float32 where its matrices are, else in 16 bits
    languages = gguf.metadata.get("general.languages")
    return Local(
        path=path,
        config=config,
        layout=layout(config),
        tensors=None,
        parameters=parameters,
        size_on_disk=path.stat().st_size,
        expanded_size=parameters * item,
        facts={
            "name": gguf.metadata.get("general.name"),
            "licence": gguf.metadata.get("general.license"),
            "languages": languages if isinstance(languages, list) else None,
        },
    )


def _single(path: Path) -> Local:
    single = read_single_file(path)
    return Local(
        path=path,
        config=single.config,
        layout=layout(single.config),
        tensors=single.tensors,
        parameters=sum(tensor.size for tensor in single.tensors.values()),
        size_on_disk=path.stat().st_size,
        expanded_size=sum(tensor.nbytes for tensor in single.tensors.values()),
        facts={"name": single.name, "licence": single.licence},
    )


def root_of(folder: Path) -> Path:
    """The folder that a model's files may not leave. A Hub snapshot's files are links to its repository's
    blobs."""
    real = folder.resolve()
    if real.parent.name == "snapshots" and real.parent.parent.name.startswith("models--"):
        return real.parent.parent
    return real


def check_links(folder: Path, root: Path | None = None) -> None:
    """Raises: ModelRefused when a file of the folder is a link that leads out of it (out of `root`)."""
    root = root or root_of(folder)
    for file in folder.iterdir():
        if file.is_symlink() and not file.resolve().is_relative_to(root):
            raise ModelRefused(
                f"{folder.name}/{file.name} is a link that leads out of the model's folder",
                remedy="put the file itself there",
                field="model",
                file=file.name,
            )


def told(folder: Path) -> str:
    """What a person calls it: a snapshot in the Hub's cache lies in a folder named by its commit."""
    repo = folder.parent.parent.name
    if folder.parent.name == "snapshots" and repo.startswith("models--"):
        return repo.removeprefix("models--").replace("--", "/", 1)
    return folder.name


def check_code(folder: Path) -> None:
    """Raises: ModelRefused when a config wants code of its own to be run."""
    for name in CONFIGS:
        if (folder / name).exists() and "auto_map" in json.dumps(read_json(folder / name)):
            raise ModelRefused(
                f"{told(folder)} brings code of its own ({name} has auto_map), which is never run here",
                remedy="choose a model whose architecture is part of transformers",
                field="model",
                file=name,
            )


def check_pickles(folder: Path, names: list[str], model: str | None = None) -> None:
    """Raises: ModelRefused for pickled weights alone, ModelNotFound for none at all."""
    if any(name.endswith(".safetensors") for name in names):
        if not weight_files(folder):
            raise broken(folder, "it has several .safetensors files and no model.safetensors.index.json")
        return
    refuse_without_safetensors(model or told(folder), names)


def refuse_without_safetensors(model: str, names: list[str]) -> None:
    """Raises: ModelRefused or ModelNotFound, by what there is in place of safetensors."""
    pickles = sorted(name for name in names if name.endswith(PICKLED))
    if pickles:
        raise ModelRefused(
            f"{model} has only pickled weights ({pickles[0]}), which can run code when they are opened",
            remedy="choose a model with .safetensors files; many repositories have a converted branch",
            field="model",
            value=model,
            file=pickles[0],
        )
    named = next((f"; name one of them, e.g. {model}/{name}" for name in names if name.endswith(".gguf")), "")
    raise ModelNotFound(
        f"{model} has no .safetensors files",
        remedy="choose a model with .safetensors files, or a .gguf file" + named,
        field="model",
        value=model,
    )


def has_tokenizer(folder: Path) -> bool:
    return any(all((folder / name).exists() for name in names) for names in TOKENIZERS)


def check_tokenizer(folder: Path) -> None:
    if not has_tokenizer(folder):
        raise broken(
            folder, "it has no tokenizer (tokenizer.json, tokenizer.model, or vocab.json with merges.txt)"
        )


def norm_eps(folder: Path) -> dict[str, float] | None:
    """Each norm's own eps out of imfine.json, where a baked model has one."""
    file = folder / EXTRA
    if not file.exists():
        return None
    found = read_json(file).get("norm_eps")
    if not isinstance(found, dict):
        return None
    return {str(name): float(eps) for name, eps in found.items() if isinstance(eps, (int, float))}


def front_matter(readme: Path) -> dict[str, Any]:
    """Licence and languages out of a README's YAML head, as the Hub writes them; {} without one."""
    import yaml

    try:
        with readme.open(encoding="utf-8", errors="replace") as stream:
            text = stream.read(MAX_README)
        head = yaml.safe_load(text.split("---", 2)[1]) if text.startswith("---") else None
    except (OSError, IndexError, ValueError, RecursionError, yaml.YAMLError):
        return {}
    if not isinstance(head, dict):
        return {}
    facts = {"licence": _word(head.get("license")), "languages": languages_of(head.get("language"))}
    return facts | {"image": _drawing(head.get("inference"))}


def _drawing(inference: Any) -> dict[str, Any] | None:
    """How a card advises to draw: {"steps", "guidance"}, as the Hub's `inference.parameters` name them."""
    parameters = inference.get("parameters") if isinstance(inference, dict) else None
    if not isinstance(parameters, dict):
        return None
    steps, guidance = parameters.get("num_inference_steps"), parameters.get("guidance_scale")
    found: dict[str, Any] = {}
    if isinstance(steps, int) and _within("steps", steps):
        found["steps"] = steps
    if isinstance(guidance, (int, float)) and _within("guidance", guidance):
        found["guidance"] = float(guidance)
    return found or None


def _within(name: str, value: float) -> bool:
    return not isinstance(value, bool) and RANGES[name].low <= value <= RANGES[name].high


def languages_of(value: Any) -> list[str] | None:
    """A card's `language`: one code or a list of them."""
    words = [value] if isinstance(value, str) else value
    return [str(word) for word in words] if isinstance(words, list) and words else None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) else None
