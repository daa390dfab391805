"""`python -m bench`: every number of docs/performance.md that needs no browser."""

from __future__ import annotations

import subprocess
import sys

BENCHES = ("decode", "recipe", "latency", "latency --pictures", "image", "train")

for bench in BENCHES:
    print(f"
## bench.{bench}
", flush=True)
    subprocess.run([sys.executable, "-m", *f"bench.{bench}".split()], check=True)
