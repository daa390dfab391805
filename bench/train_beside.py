"""What training costs the live answers: `python -m bench.train_beside`.

As `bench.latency`, first with nothing beside, then while a run trains the same model. Told too: what the
training does in a second while somebody asks, and while nobody does.
"""

from __future__ import annotations

import argparse
import statistics
import time

from bench.latency import ANSWERED, CLAIMED, FIRST, TEXT, Page, moved, running, summed_up

ROWS = "\n\n".join(
    f"The {i}th ship sailed before the wind, and nobody on the shore knew where it would land." * 4
    for i in range(400)
)
PLAN = {
    "method": "lora",
    "steps": 100_000,
    "batch": 2,
    "length": 256,
    "eval_share": 0.0,
    "save_every": 50_000,
}


class Training:
    """A run that goes on until it is cancelled."""

    def __init__(self, page: Page) -> None:
        self.http = page.http
        data = self.http.post("/api/datasets?name=ships.txt", content=ROWS.encode()).raise_for_status()
        body = {"kind": "train", "model": TEXT["model"], "name": "bench", "dataset": data.json()["id"]}
        asked = self.http.post("/api/runs", json={**body, "plan": PLAN}).raise_for_status()
        self.run = asked.json()["id"]

    def speeds(self) -> list[float]:
        """Tokens a second, of the steps so far that were told with it."""
        lines = self.http.get(f"/api/runs/{self.run}/curves.csv").text.splitlines()[1:]
        return [float(line.split(",")[6]) for line in lines if line.split(",")[6]]

    def wait(self) -> None:
        while len(self.speeds()) < 3:
            time.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--moves", type=int, default=60)
    args = parser.parse_args()
    with running() as url:
        page = Page(url)
        run, _ = page.ask(TEXT, {"attn": 1.1}, None, FIRST)
        page.wait(run)
        alone = moved(page, TEXT, args.moves, run, first=FIRST, last=FIRST)
        training = Training(page)
        training.wait()
        before = len(training.speeds())
        beside = moved(page, TEXT, args.moves, run, first=FIRST, last=FIRST)
        asked = training.speeds()[before:]
        time.sleep(15)
        unasked = training.speeds()[before + len(asked) :]
        page.http.post(f"/api/runs/{training.run}/cancel")
        page.wait(training.run)
    print(f"{args.moves} moves\n\n| from the move to | alone: median | p95 | beside training: median | p95 |")
    print("|---|---|---|---|---|")
    for mark in (ANSWERED, CLAIMED, FIRST):
        print(f"| {mark} | {summed_up(alone, mark)} | {summed_up(beside, mark)} |")
    print(f"\nTraining: {statistics.median(asked):.0f} tokens/s meanwhile, ", end="")
    print(f"{statistics.median(unasked):.0f} with nobody asking")


if __name__ == "__main__":
    main()
