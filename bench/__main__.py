"""`python -m bench`: every number of docs/performance.md that needs no browser."""

from __future__ import annotations

import subprocess
import sys

for words in (
    "bench.decode",
    "bench.image",
    "bench.knobs",
    "bench.learned_knob",
    "bench.recipe",
    "bench.latency",
    "bench.latency --pictures",
    "bench.train",
    "bench.train_pictures",
    "bench.prefill",
    "bench.probe",
    "bench.imports",
    "bench.train_beside",
):
    print(f"\n## {words}\n", flush=True)
    subprocess.run([sys.executable, "-m", *words.split()], check=True)
