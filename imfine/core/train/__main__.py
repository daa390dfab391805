"""`python -m imfine.core.train`: tells what plans need, for a process that shall not have torch in it.

Reads a model's config, its parameters' shapes (null: as its config says) and a plan as a line of JSON, and
answers {"done": {"trainable", "need"}} or {"error"} with one, again and again. Ends with its input.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from typing import Any

import imfine.core.libraries  # noqa: F401 (before torch)

# isort: split
import torch

from imfine.core.families import layout
from imfine.core.train.fit import need, shapes_of
from imfine.core.train.plan import Plan
from imfine.core.train.targets import trainable
from imfine.errors import ImfineError, Invalid


def told(
    config: dict[str, Any], shapes: dict[str, list[int]] | None, plan: dict[str, Any], device: str
) -> dict[str, Any]:
    """Raises: Invalid when the plan does not fit the model, or transformers cannot build it."""
    asked, where = Plan.parse(plan), layout(config)
    asked.check(where)
    try:
        known = shapes_of(config) if shapes is None else {name: tuple(each) for name, each in shapes.items()}
        counted, found = trainable(where, known, asked), need(config, known, asked, device)
    except ImfineError:
        raise
    except Exception as error:
        raise Invalid(
            f"what training {where.architecture} needs cannot be told: {error}"[:500],
            remedy="start it all the same, or choose another model",
            field="model",
        ) from error
    return {"trainable": asdict(counted), "need": found.to_json()}


def main() -> None:
    out = os.fdopen(os.dup(1), "w", encoding="utf-8", buffering=1)
    os.dup2(2, 1)  # what libraries print is no answer
    os.nice(5)  # live answers come first
    torch.set_num_threads(1)
    for line in sys.stdin:
        try:
            answer = {"done": told(**json.loads(line))}
        except ImfineError as error:
            answer = {"error": error.to_json()}
        out.write(json.dumps(answer) + "\n")


if __name__ == "__main__":
    main()
