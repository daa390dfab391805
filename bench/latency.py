"""From a slider's move to the tuned model's first token, over HTTP: `python -m bench.latency`.

Starts an `imfine up` with a home of its own and the starter warm. A move asks the same prompt with a recipe
never seen before, in the place of the run before; a third of the moves come when an answer has gone on for
long, the others while it has just begun. Knows no browser: `web/e2e/tests/latency.test.ts` measures there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import queue
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from imfine.settings import settings

STARTER = "smollm2-135m"
PROMPT = "I want to be a superman."
TOKEN = "a-token-for-the-benchmark"
SAMPLING = {"greedy": True, "max_new_tokens": 96}
ANSWERED, CLAIMED, FIRST = "its answer", "the run claimed by a worker", "the tuned model's first token"
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The address of an `imfine up`; the starter has answered once."""
    with tempfile.TemporaryDirectory(prefix="imfine-bench-") as home, socket.socket() as door:
        (Path(home) / "models").symlink_to(settings().models_dir)
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
        door.close()
        command = [sys.executable, "-c", "from imfine.cli import main; main()", "up", "--home", home]
        process = subprocess.Popen(
            [*command, "--port", str(port)],
            env={**os.environ, "IMFINE_TOKEN": TOKEN},
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "?token=" in line and (found := ADDRESS.search(line)):
                    yield found[0]
                    break
        finally:
            process.terminate()
            process.wait(15)


class Page:
    """Asks for runs and hears of them, as the page does."""

    def __init__(self, url: str) -> None:
        headers = {"Authorization": f"Bearer {TOKEN}"}
        self.http = httpx.Client(base_url=url, headers=headers, timeout=60)
        self.heard: queue.Queue[tuple[float, dict[str, Any]]] = queue.Queue()
        threading.Thread(target=self._listen, args=(url, headers), daemon=True).start()
        time.sleep(0.5)

    def _listen(self, url: str, headers: dict[str, str]) -> None:
        with (
            contextlib.suppress(httpx.TransportError),  # the server ends
            httpx.stream("GET", f"{url}/api/events?page=bench", headers=headers, timeout=None) as stream,
        ):
            for line in stream.iter_lines():
                if line.startswith("data:"):
                    self.heard.put((time.perf_counter(), json.loads(line[5:])))

    def ask(self, recipe: dict[str, float], replaces: str | None) -> tuple[str, dict[str, float]]:
        """(run, ms since the move) until the tuned lane's first token."""
        body = {"kind": "generate", "model": STARTER, "page": "bench", "prompt": PROMPT, "recipe": recipe}
        body |= {"sampling": SAMPLING, "top": 5, "replaces": replaces}
        begin = time.perf_counter()
        run = self.http.post("/api/runs", json=body).raise_for_status().json()["id"]
        took = {ANSWERED: time.perf_counter() - begin}
        while FIRST not in took:
            at, event = self.heard.get(timeout=60)
            if event["run"] != run:
                continue
            if event["type"] == "state" and event["state"] == "running":
                took[CLAIMED] = at - begin
            elif event["type"] == "tokens" and event["lane"] == 1:
                took[FIRST] = at - begin
        return run, {what: seconds * 1e3 for what, seconds in took.items()}

    def wait(self, run: str) -> None:
        while self.http.get(f"/api/runs/{run}").json()["state"] in ("queued", "running"):
            time.sleep(0.1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=60)
    args = parser.parse_args()
    with running() as url:
        page = Page(url)
        run, _ = page.ask({"attn": 1.1}, None)
        page.wait(run)  # from here on the original's answer is kept
        times: list[dict[str, float]] = []
        for move in range(args.moves):
            run, took = page.ask({"attn": 1 + (move + 1) / 200}, run)
            times.append(took)
            time.sleep(0.9 if move % 3 == 0 else 0.15)
    print(f"{args.moves} moves\n\n| from the move to | median | p95 |\n|---|---|---|")
    for what in (ANSWERED, CLAIMED, FIRST):
        each = sorted(took[what] for took in times)
        print(f"| {what} | {statistics.median(each):.0f} ms | {each[int(0.95 * (len(each) - 1))]:.0f} ms |")


if __name__ == "__main__":
    main()
