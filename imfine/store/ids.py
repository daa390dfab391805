"""Run ids that sort by time, and the friendly names that go with them."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
RANDOM_BITS = 80

ADJECTIVES = (  # noqa: SIM905
    "amber bold brave bright brisk calm clear clever cosy crisp curious daring deft eager early easy "
    "fair fleet fond frank free fresh gentle glad golden grand happy honest jolly keen kind light "
    "lively lucid lucky lunar mellow merry mild misty neat nimble noble plain polite proud pure quick "
    "quiet rapid rare ready royal silent silver smooth snowy solar steady still sunny swift tidy vivid "
    "warm wise witty"
).split()
ANIMALS = (  # noqa: SIM905
    "badger bear beaver bison bunting carp cat civet cod coot crane crow deer dove duck eagle egret elk "
    "falcon ferret finch fox frog gecko goose grouse gull hare hawk heron horse ibex jay kite koala "
    "lark lemur lion lynx magpie marten mole moose mouse newt otter owl panda pike plover puffin quail "
    "rabbit raven robin seal shrew sparrow stork swan swift tapir teal tern tiger toad trout vole whale "
    "wolf wren"
).split()

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """26 characters: 48 bits of milliseconds, 80 of chance. Ids of one process always rise."""
    global _last  # noqa: PLW0603
    with _lock:
        fresh = (time.time_ns() // 1_000_000) << RANDOM_BITS | secrets.randbits(RANDOM_BITS)
        same_or_older = fresh >> RANDOM_BITS <= _last >> RANDOM_BITS
        _last = _last + 1 if same_or_older else fresh
        value = _last
    return "".join(ALPHABET[value >> shift & 31] for shift in range(125, -1, -5))


def name_of(run_id: str) -> str:
    """ "quick-otter-12": the same for the same id, for people to tell runs apart. Not unique."""
    n = int.from_bytes(hashlib.sha256(run_id.encode()).digest()[:8])
    n, adjective = divmod(n, len(ADJECTIVES))
    n, animal = divmod(n, len(ANIMALS))
    return f"{ADJECTIVES[adjective]}-{ANIMALS[animal]}-{n % 99 + 1}"
