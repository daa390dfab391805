"""What a process of ours waits for before it can do anything: `python -m bench.imports`.

torch and transformers, as we import them and as they are imported anywhere else; each time in a new process.
"""

from __future__ import annotations

import subprocess
import sys

from bench.harness import Pair, line

OURS = "import imfine.core.libraries"
THEIRS = "import imfine.core, torch, transformers.modeling_utils"
CODE = """
import gc, time
t = time.perf_counter()
{imports}
imported = time.perf_counter()
gc.collect()
print(imported - t, time.perf_counter() - imported)
"""
PAIRS = 7


def measured(imports: str) -> list[float]:
    """Seconds: importing, a full collection afterwards."""
    code = CODE.format(imports=imports)
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    return [float(word) for word in said.split()]


def main() -> None:
    measured(OURS), measured(THEIRS)
    importing, collecting = Pair([], []), Pair([], [])
    for _ in range(PAIRS):
        for imports, into in ((OURS, "ours"), (THEIRS, "theirs")):
            for pair, seconds in zip((importing, collecting), measured(imports), strict=True):
                getattr(pair, into).append(seconds)
    print("| what | ours | theirs | ratio (least–most) | wanted | pairs |\n|---|---|---|---|---|---|")
    print(line("importing torch and transformers: times as fast", importing, wanted="–"))
    print(line("a full collection afterwards: times as fast", collecting, wanted="–"))


if __name__ == "__main__":
    main()
