"""The models: what they are, how gains are put on them, how they answer. Knows no web, database or queue.

torch's OpenMP threads spin while they wait for one another. Beside anything else that computes (a browser, a
training run) two spinning threads on two cores hold each other up: answers came ten times slower and more.
A short spin costs a quarter on some quiet machines (docs/decisions/threads.md). libgomp reads it once, when
torch is first imported.
"""

import os

os.environ.setdefault("GOMP_SPINCOUNT", "1000")
