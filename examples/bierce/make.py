"""Makes bierce.jsonl: Ambrose Bierce's The Devil's Dictionary (1911, public domain), an entry a row.

    python examples/bierce/make.py [--work DIR]

    {"text": "BLACKGUARD, n. A man whose qualities, [...] have been opened on the wrong side."}

It comes as Debian's package dict-devil, which apt fetches and nothing installs; what is read of it is held
against its hash. Entries that demean a people are left out. The others speak of women, faiths and nations
as a satirist of 1911 did: it is here for its sentences. Knows nothing of I'm Fine.
"""

from __future__ import annotations

import gzip
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import making  # noqa: E402

HASH = "703d1225d2fb927653bfd8b00e4e96938e0b630c6023edd26702ac6ed50383f8"  # of devil.dict, unpacked
DEMEANING = re.compile(
    r"(?i)pickaninn|negro|nigger|aborigin|hebrew|\bjews?\b|savage|mongolian|chinese|\bindians?\b"
)
HEAD = re.compile(r"(?m)^(?=[A-Z][A-Z' -]+, (?:n|v|adj|adv|pp|x|interj|pret)\b)")


def main() -> None:
    with making.work_folder(__doc__) as folder:
        text = book(folder)
    text = text.partition("\n abcdefghijklmnopqrstuvwxyz")[0]
    entries = [plain(entry) for entry in HEAD.split(text)[1:] if not DEMEANING.search(entry)]
    once = dict.fromkeys(entries)  # one stands in it twice
    making.write_rows(HERE / "bierce.jsonl", [{"text": entry} for entry in once])


def book(folder: Path) -> str:
    making.debian("dict-devil", folder)
    raw = gzip.decompress((folder / "usr/share/dictd/devil.dict.dz").read_bytes())
    making.check(raw, HASH, "devil.dict")
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
