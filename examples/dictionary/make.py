"""Makes dictionary.jsonl: 3,000 questions after a thing, each answered in one line, as a dictionary would.

    python examples/dictionary/make.py [--work DIR]

    {"prompt": "What is a lantern?", "completion": "A kind of lamp: light in a transparent protective case."}

WordNet 3.0 says what a thing is a kind of, and what sets it apart. It comes as Debian's package wordnet-base,
which apt fetches and nothing installs; what is read of it is held against its hash. The same rows on every
machine. Knows nothing of I'm Fine.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import making  # noqa: E402

ROWS = 3000
SEED = 1985  # the year in which WordNet was begun
HASHES = {  # of WordNet 3.0's own files
    "data.noun": "fea17d2f9656611334eac790e5d69e47645fa180c4aa481fb4cd9b3520754ca2",
    "index.noun": "a490d99d93d017bf4822fe2f0ffa51fd73911ce271dc7535fade21f8814b5a04",
}
# WordNet's files of animals, artifacts, food, natural objects, plants and substances.
THINGS = {"05", "06", "13", "17", "20", "27"}
LONGEST = 20  # words of a definition
KEPT_BACK = {"bicycle", "lantern", "owl", "umbrella", "volcano", "whale"}  # to be asked after, never read
MASS = {"13", "27"}  # "What is marble?", not "What is a marble?"
QUESTIONS = (
    ("What is {a_word}?", 8),
    ("What's {a_word}?", 2),
    ("Define {word}.", 3),
    ("What does {word} mean?", 2),
    ("Tell me what {a_word} is.", 2),
    ("Explain the word {word} to me.", 1),
    ("Can you tell me what {a_word} is?", 1),
    ("{word}", 1),
)


class Thing(NamedTuple):
    word: str
    kind: str  # of thing
    definition: str
    mass: bool


def main() -> None:
    with making.work_folder(__doc__) as folder:
        making.debian("wordnet-base", folder)
        wordnet = folder / "usr/share/wordnet"
        for name, expected in HASHES.items():
            making.check((wordnet / name).read_bytes(), expected, name)
        found = sorted(set(things(wordnet)))
    dice = random.Random(SEED)  # noqa: S311 - rows to be made again, not a secret
    chosen = dice.sample(found, ROWS)
    making.write_rows(HERE / "dictionary.jsonl", [row(each, dice) for each in chosen])


def things(folder: Path) -> Iterator[Thing]:
    """Words whose first meaning is a thing, once a meaning, with what it is a kind of."""
    synsets = {line[:8]: line for line in (folder / "data.noun").read_text().splitlines() if line[0] != " "}
    first = first_meanings(folder / "index.noun")
    for line in synsets.values():
        head, _, gloss = line.partition(" | ")
        fields = head.split()
        names = fields[4 : 4 + 2 * int(fields[3], 16) : 2]
        words = [word for word in names if first.get(word.lower()) == fields[0] and plain(word)]
        broader = re.search(r" @ (\d{8}) n ", head)
        if (
            fields[1] not in THINGS
            or not words
            or not broader
            or KEPT_BACK & set(" ".join(names).lower().replace("_", " ").split())
        ):
            continue
        kind = synsets[broader[1]].split()[4].replace("_", " ")
        definition = gloss.split(";")[0].strip()
        if (
            3 <= len(definition.split()) <= LONGEST
            and kind.islower()
            and re.fullmatch(r"[\w ,'-]+", definition)
        ):
            yield Thing(words[0], kind, definition, fields[1] in MASS)


def first_meanings(index: Path) -> dict[str, str]:
    """Word → its commonest meaning, of words that texts were found to use or that have several."""
    found = {}
    for line in index.read_text().splitlines():
        if line[0] != " ":
            fields = line.split()
            meanings, used = int(fields[2]), int(fields[-int(fields[2]) - 1])
            if used or meanings > 1:
                found[fields[0]] = fields[-meanings]
    return found


def plain(word: str) -> bool:
    """One word of small letters."""
    return re.fullmatch(r"[a-z]{3,}", word) is not None


def row(thing: Thing, dice: random.Random) -> dict[str, str]:
    question = dice.choices([text for text, _ in QUESTIONS], [weight for _, weight in QUESTIONS])[0]
    a_word = thing.word if thing.mass else f"{'an' if thing.word[0] in 'aeiou' else 'a'} {thing.word}"
    definition = re.sub(r"^(?:a|an|the|any of several|any of various|any of) ", "", thing.definition)
    return {
        "prompt": question.format(word=thing.word, a_word=a_word),
        "completion": f"A kind of {thing.kind}: {definition}.",
    }


if __name__ == "__main__":
    main()
