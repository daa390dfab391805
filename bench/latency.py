"""From a slider's move to the tuned model's first token, over HTTP: `python -m bench.latency`.
With `--pictures`: to its first preview and its picture.

Starts an `imfine up` with a home of its own and the starter warm. A move asks the same prompt with a recipe
never seen before, in the place of the run before; a third of the moves come when an answer has gone on for
long (a picture is done), the others while it has just begun. Knows no browser:
`web/e2e/latency.ts` measures there.
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

TOKEN = "a-token-for-the-benchmark"
ANSWERED, CLAIMED = "its answer", "the run claimed by a worker"
FIRST, PREVIEW, PICTURE = "the tuned model's first token", "its first preview", "the tuned picture"
MARKS = {"tokens": FIRST, "preview": PREVIEW, "picture": PICTURE}  # by the tuned lane's event
TEXT: dict[str, Any] = {
    "model": "smollm2-135m",
    "prompt": "I want to be a superman.",
    "sampling": {"greedy": True, "max_new_tokens": 96},
    "top": 5,
}
PICTURES = {"model": "emoji-diffusion", "prompt": "a red apple", "image": {"steps": 20, "seed": 5}}
IMFINE = [sys.executable, "-c", "from imfine.cli import main; main()"]
ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


@contextlib.contextmanager
def running() -> Iterator[str]:
    """The address of an `imfine up` with the starter warm."""
    subprocess.run([*IMFINE, "pull", TEXT["model"]], check=True, stdout=subprocess.DEVNULL)
    with tempfile.TemporaryDirectory(prefix="imfine-bench-") as home, socket.socket() as door:
        starter = Path(home) / "models" / TEXT["model"]
        starter.parent.mkdir()
        starter.symlink_to(settings().models_dir / TEXT["model"])
        door.bind(("127.0.0.1", 0))
        port = door.getsockname()[1]
        door.close()
        process = subprocess.Popen(
            [*IMFINE, "up", "--home", home, "--port", str(port)],
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

    def ask(
        self, what: dict[str, Any], recipe: dict[str, float], replaces: str | None, until: str
    ) -> tuple[str, dict[str, float]]:
        """(run, ms since the move) until one of MARKS."""
        body = {**what, "kind": "generate", "page": "bench", "recipe": recipe, "replaces": replaces}
        begin = time.perf_counter()
        run = self.http.post("/api/runs", json=body).raise_for_status().json()["id"]
        took = {ANSWERED: time.perf_counter() - begin}
        while until not in took:
            at, event = self.heard.get(timeout=60)
            if event["run"] != run:
                continue
            if event["type"] == "state" and event["state"] == "running":
                took[CLAIMED] = at - begin
            elif event["type"] in MARKS and event["lane"] == 1:
                took.setdefault(MARKS[event["type"]], at - begin)
        return run, {what: seconds * 1e3 for what, seconds in took.items()}

    def wait(self, run: str) -> None:
        while self.http.get(f"/api/runs/{run}").json()["state"] in ("queued", "running"):
            time.sleep(0.1)


def moved(
    page: Page, what: dict[str, Any], moves: int, run: str, *, first: str, last: str
) -> list[dict[str, float]]:
    """Milliseconds of each move; `run` is the one before."""
    times: list[dict[str, float]] = []
    for move in range(moves):
        long = move % 3 == 0
        run, took = page.ask(what, {"attn": 1 + (move + 1) / 200}, run, last if long else first)
        times.append(took)
        time.sleep(0.9 if long else 0.15)
    page.wait(run)
    return times


def summed_up(times: list[dict[str, float]], mark: str) -> str:
    each = sorted(took[mark] for took in times if mark in took)
    return f"{statistics.median(each):.0f} ms | {each[int(0.95 * (len(each) - 1))]:.0f} ms"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=60)
    parser.add_argument("--pictures", action="store_true")
    args = parser.parse_args()
    what, first, last = (PICTURES, PREVIEW, PICTURE) if args.pictures else (TEXT, FIRST, FIRST)
    with running() as url:
        page = Page(url)
        run, _ = page.ask(what, {"attn": 1.1}, None, first)
        page.wait(run)  # from here on the original's answer is kept
        times = moved(page, what, args.moves, run, first=first, last=last)
    print(f"{args.moves} moves\n\n| from the move to | median | p95 |\n|---|---|---|")
    for mark in dict.fromkeys((ANSWERED, CLAIMED, first, last)):
        print(f"| {mark} | {summed_up(times, mark)} |")


if __name__ == "__main__":
    main()
