"""What server and workers call the things they share: the task, the queues. Knows no Celery, no settings."""

from __future__ import annotations

import re
from typing import Literal

QueueName = Literal["live", "batch"]

TASK = "imfine.run"
RUN_ID = re.compile(r"[0-9a-z]{26}")
LIVE: QueueName = "live"  # an answer somebody watches
BATCH: QueueName = "batch"  # what takes long, and must not slow the live answers
QUEUES: tuple[QueueName, ...] = (LIVE, BATCH)

LIVE_LANES = 8  # a run with more lanes is a sweep: it would slow every live answer in the same pass


def queue_for(kind: str, lanes: int) -> QueueName:
    """The queue of a run. A few answers are live (`lanes`: of pictures, one each); all else is batch work."""
    return LIVE if kind == "generate" and lanes <= LIVE_LANES else BATCH
