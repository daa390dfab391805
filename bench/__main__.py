"""`python -m bench`: every number of docs/performance.md that needs no browser."""

from __future__ import annotations

import subprocess
import sys

for module in ("bench.decode", "bench.recipe", "bench.latency", "bench.train"):
    print(f"\n## {module}\n", flush=True)
    subprocess.run([sys.executable, "-m", module], check=True)
