"""The errors a person can cause or meet. Knows no web, no queue and no model.

Every error carries fact, value and next step. `code` is stable: the page translates it, tests and scripts
match it; `params` fill the translation. The HTTP edge turns `status` and `to_json()` into the answer, a
task's edge writes `to_json()` into the run, and the command line prints message and remedy.
"""

from __future__ import annotations

import math
from typing import Any, ClassVar


class ImfineError(Exception):
    """What was wrong (`message`), where (`field`), with which `value`, and what to do (`remedy`)."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(
        self, message: str, *, remedy: str = "", field: str | None = None, value: Any = None, **params: Any
    ) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.field = field
        self.value = value
        self.params = params

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message

    @classmethod
    def from_json(cls, told: dict[str, Any]) -> ImfineError:
        """The error that `to_json` told, as another process raised it."""
        kinds = [cls]
        for kind in kinds:
            kinds += kind.__subclasses__()
        found = next((kind for kind in kinds if kind.code == told["code"]), cls)
        place = {name: told[name] for name in ("remedy", "field", "value")}
        return found(told["message"], **place, **told["params"])

    def to_json(self) -> dict[str, Any]:
        value = self.value
        plain = value is None or isinstance(value, (bool, int, float, str))
        if not plain or (
            isinstance(value, float) and not math.isfinite(value)
        ):  # JSON has no NaN, no Infinity
            value = repr(value)
        if isinstance(value, str) and len(value) > 200:
            value = value[:200] + "…"
        return {
            "code": self.code,
            "message": self.message,
            "remedy": self.remedy,
            "field": self.field,
            "value": value,
            "params": self.params,
        }


class Invalid(ImfineError):
    """A field holds a value that cannot be used."""

    code, status = "invalid", 422


class RecipeError(Invalid):
    """A knob, band or point is unknown, of the wrong length, not finite or out of range."""

    code = "recipe"


class SamplingError(Invalid):
    """A sampling setting is out of range."""

    code = "sampling"


class PromptTooLong(ImfineError):
    """The prompt does not fit in the model's context window."""

    code, status = "prompt_too_long", 413


class UnsupportedArchitecture(Invalid):
    """The model's architecture has no row in the table of families."""

    code = "unsupported_architecture"


class ModelNotFound(ImfineError):
    """No starter, folder or Hub repository has this name."""

    code, status = "model_not_found", 404


class ModelGated(ImfineError):
    """The Hub repository wants its terms accepted and a token."""

    code, status = "model_gated", 403


class NoNetwork(ImfineError):
    """The Hub cannot be reached from here."""

    code, status = "no_network", 424


class ModelRefused(Invalid):
    """The model cannot be used safely: pickled weights, code of its own, or a path outside its root."""

    code = "model_refused"


class ModelBroken(Invalid):
    """A file of the model is cut off or malformed."""

    code = "model_broken"


class AdapterError(Invalid):
    """A file is no adapter that can be turned, or one of another model."""

    code = "adapter"


class DataError(Invalid):
    """Data cannot be read: which lines and fields, and what was expected there."""

    code = "data"


class NotKept(ImfineError):
    """A file finds no room, or no disk that can be written."""

    code, status = "not_kept", 507


class OutOfMemory(ImfineError):
    """The model does not fit in the memory there is."""

    code, status = "out_of_memory", 422


class BrokenNumbers(Invalid):
    """A recipe made the model's numbers overflow: there is no likeliest token any more."""

    code = "broken_numbers"


class NotFound(ImfineError):
    """There is nothing of this id."""

    code, status = "not_found", 404


class Conflict(ImfineError):
    """The request contradicts what is already there."""

    code, status = "conflict", 409


class Unauthorized(ImfineError):
    """No token, or a wrong one."""

    code, status = "unauthorized", 401


class Forbidden(ImfineError):
    """The request comes from a host or origin that is not ours."""

    code, status = "forbidden", 403


class TooLarge(ImfineError):
    """The request body is over the limit."""

    code, status = "too_large", 413


class Unavailable(ImfineError):
    """A part of the service (store, broker, worker) is away for the moment."""

    code, status = "unavailable", 503


class SetupError(ImfineError):
    """The machine lacks something I'm Fine needs: a port, disk, memory, a system package."""

    code = "setup"


class WorkerLost(ImfineError):
    """A run lost its worker again and again and is given up."""

    code = "worker_lost"


class TooManyTries(ImfineError):
    """Too many wrong tokens from one address."""

    code, status = "too_many_tries", 429


class TrainingDiverged(Invalid):
    """A training run's loss became infinite, or ran away from where it had been."""

    code = "training_diverged"
