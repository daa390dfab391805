"""Makes bierce.jsonl: Ambrose Bierce's The Devil's Dictionary (1911, public domain), an entry a row.

    python examples/bierce/make.py [--work DIR]

    {"text": "BLACKGUARD, n. A man whose qualities, [...] have been opened on the wrong side."}

It comes as Debian's package dict-devil, which apt fetches and nothing installs; what is read of it is held
against its hash. Entries that demean a people are left out. The others speak of women, faiths and nations
as a satirist of 1911 did: it is here for its sentences. Knows nothing of I'm Fine.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import re
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
HASH = "703d1225d2fb927653bfd8b00e4e96938e0b630c6023edd26702ac6ed50383f8"  # of devil.dict, unpacked
DEMEANING = re.compile(
    r"(?i)pickaninn|negro|nigger|aborigin|hebrew|\bjews?\b|savage|mongolian|chinese|\bindians?\b"
)
HEAD = re.compile(r"(?m)^(?=[A-Z][A-Z' -]+, (?:n|v|adj|adv|pp|x|interj|pret)\b)")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, help="a folder that keeps the package; else a temporary one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        text = fetch(args.work or Path(temporary))
    text = text.partition("\n abcdefghijklmnopqrstuvwxyz")[0]
    entries = [plain(entry) for entry in HEAD.split(text)[1:] if not DEMEANING.search(entry)]
    rows = [{"text": entry} for entry in dict.fromkeys(entries)]  # one stands in it twice
    path = HERE / "bierce.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
    print(f"{path}: {len(rows):,} entries, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def fetch(folder: Path) -> str:
    """The book. Raises: SystemExit when it is another text than is expected."""
    folder.mkdir(parents=True, exist_ok=True)
    if not list(folder.glob("dict-devil_*.deb")):
        subprocess.run(["apt-get", "download", "-qq", "dict-devil"], cwd=folder, check=True)  # noqa: S607
    package = next(folder.glob("dict-devil_*.deb"))
    subprocess.run(["dpkg", "-x", package.name, "."], cwd=folder, check=True)  # noqa: S603, S607
    raw = gzip.decompress((folder / "usr/share/dictd/devil.dict.dz").read_bytes())
    if (found := hashlib.sha256(raw).hexdigest()) != HASH:
        raise SystemExit(f"devil.dict of {package.name} has the hash {found}, not {HASH}")
    return raw.decode("latin-1")


def plain(entry: str) -> str:
    """Prose on one line a paragraph, verse as it stands, without emphasis marks."""
    parts = []
    for part in re.split(r"\n\s*\n", entry.strip()):
        lines = part.replace("_", "").split("\n")
        verse = all(line.startswith("  ") for line in lines)
        parts.append(
            "\n".join(line.strip() for line in lines) if verse else " ".join(part.replace("_", "").split())
        )
    return "\n\n".join(parts)


if __name__ == "__main__":
    main()
