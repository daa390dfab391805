"""What training would take, told before it starts. Knows no HTTP and no data.

The arithmetic needs torch: a child does it, which is kept warm while somebody asks.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from typing import Any

import structlog

from imfine.core.families import Layout
from imfine.core.models.catalog import Card, shapes_of
from imfine.core.recent import Recent
from imfine.core.train.plan import Plan
from imfine.core.train.room import Need, bare, free, room
from imfine.errors import Unavailable
from imfine.server.child import Child, Died

log = structlog.get_logger()

IDLE_S = 300.0  # then the child goes, and its memory with it
ASK_S = 60.0  # the first time it has to find torch
KEPT = 512  # answers


class Estimates:
    def __init__(self) -> None:
        self._child: Child | None = None
        self._idle: threading.Timer | None = None
        self._asking = threading.Lock()
        self._told: Recent[dict[str, Any]] = Recent(KEPT)
        self._closed = False

    def tell(self, card: Card, plan: Plan, layout: Layout) -> dict[str, Any]:
        """As the API's `Estimate`.

        Raises: Invalid, ModelNotFound, what reading the model's config raises; Unavailable.
        """
        config, shapes = shapes_of(card)
        have, device = free()
        model = {"config": config, "shapes": shapes, "device": device}
        key = hashlib.sha256(json.dumps(model).encode()).hexdigest()

        def need(each: Plan) -> Need:
            return Need(**self._ask(key, model, each)["need"])

        found = room(plan, layout, have, need)
        return {
            "trainable": self._ask(key, model, plan)["trainable"],
            "memory": found.need.to_json(),
            "have": have,
            "device": device,
            "fits": found.fits,
            "change": found.change,
            "remedy": found.remedy,
        }

    def close(self) -> None:
        """Ends the child; whoever waits for it hears of it."""
        self._closed = True
        if (child := self._child) is not None:
            child.kill()
        self._let_go()

    def _ask(self, key: str, model: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
        which = key, bare(plan)
        with self._asking:
            told = self._told.find(which)
            if told is None:
                told = self._ask_child(model, bare(plan))
                self._told.keep(which, told)
        return told

    def _ask_child(self, model: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
        if self._idle is not None:
            self._idle.cancel()
        try:
            return self._answer(model, plan)
        finally:
            self._idle = threading.Timer(IDLE_S, self._let_go)
            self._idle.daemon = True
            self._idle.start()

    def _answer(self, model: Mapping[str, Any], plan: Plan) -> dict[str, Any]:
        if self._closed:
            raise Unavailable("the server is stopping", remedy="try again in a moment")
        if self._child is not None and not self._child.alive:
            self._end_child()
        fresh = self._child is None
        self._child = self._child or Child("imfine.core.train")
        try:
            return self._child.ask(ASK_S, **model, plan=plan.to_json())
        except Died as died:
            self._end_child()
            if not self._closed:
                log.error("estimates.child_died", code=died.code, seconds=died.seconds)
                if not fresh and died.seconds is None:  # it had died before it was asked
                    return self._answer(model, plan)
            raise Unavailable(
                "what training would take cannot be told just now", remedy="try again in a moment"
            ) from died

    def _let_go(self) -> None:
        with self._asking:
            if self._idle is not None:
                self._idle.cancel()
            self._end_child()

    def _end_child(self) -> None:
        if self._child is not None:
            self._child.end()
            self._child = None
