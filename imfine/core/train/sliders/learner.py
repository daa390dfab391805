"""What learns a knob: a picture model with one adapter whose sign is turned, and its steps.

No data: the model draws what the knob shall be for, and what it says of these pictures at any noise is

    turned to +1:  says(neutral) + η · (says(plus) − says(minus))
    turned to −1:  says(neutral) − η · (says(plus) − says(minus))

The two sides are learned in turn, by one adapter whose sign is turned, so 0 is the model itself. Says: the
noise or the velocity, whichever the model predicts; the one is the other times a number of the timestep.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any

import torch

from imfine.core.events import Phase, last_of
from imfine.core.models.local import Local, read_local
from imfine.core.train.fit import need, shapes_in
from imfine.core.train.learner import Parent
from imfine.core.train.optimizer import adamw
from imfine.core.train.pictures.adapter import PEFTS
from imfine.core.train.pictures.learner import PictureLearner, open_pictures
from imfine.core.train.pictures.lesson import generator, token_ids
from imfine.core.train.room import Need
from imfine.core.train.room import free as free_memory
from imfine.core.train.schedule import learning_rate
from imfine.core.train.sliders.slider import Slider
from imfine.core.train.step import no_memory_told
from imfine.core.train.watch import Watch


def opened(parent: Parent, slider: Slider) -> Generator[Phase, None, PictureLearner]:
    """Returns the learner. Raises: Invalid (no picture model), OutOfMemory, ModelBroken, ModelRefused."""
    local = read_local(parent.path)
    slider.check(local.layout, parent.id)
    check_fits(local, slider, parent.id)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return (yield from last_of(open_pictures(local, slider.plan, device)))


def check_fits(local: Local, slider: Slider, name: str) -> Need:
    """Raises: OutOfMemory with a batch that takes less."""
    have, device = free_memory()
    wants = need(local.config, shapes_in(local), slider.plan, device)
    if wants.together > have:
        raise slider.too_much(
            f"learning a knob of {name} so needs {wants.together / 1e9:.1f} GB of memory, "
            f"{have / 1e9:.1f} GB are free"
        )
    return wants


def too_much_told(slider: Slider) -> AbstractContextManager[None]:
    """Raises: OutOfMemory with a batch that takes less, where torch found no memory."""
    return no_memory_told(
        lambda error: slider.too_much(f"the memory ran out in a batch of {slider.batch} pictures")
    )


class Stepper:
    """`drawn` (N, C, h, w): what the model drew; picture i is of neutral prompt i modulo their number."""

    def __init__(
        self, learner: PictureLearner, slider: Slider, tokenizers: Sequence[Any], drawn: torch.Tensor
    ) -> None:
        self._learner, self._slider, self._drawn = learner, slider, drawn
        self._device = next(learner.parameters()).device
        ids = token_ids(tokenizers, [text for each in slider.prompts for text in each])
        self._ids = ids.view(len(slider.prompts), 3, *ids.shape[1:]).to(self._device)  # (P, 3, E, T)
        self._optimizer, self._watch = adamw(learner.trained, slider.plan), Watch(slider.plan, "slider.")

    def take(self, step: int) -> tuple[float, float, float]:
        """Loss, norm of the gradients, learning rate. Raises: TrainingDiverged."""
        learner, slider = self._learner, self._slider
        rng = generator(slider.seed, "slider", step)
        which = torch.randint(len(self._drawn), (slider.batch,), generator=rng)
        noise = torch.randn(self._drawn[which].shape, generator=rng).to(self._device)
        t = torch.randint(int(learner.noising.config.num_train_timesteps), (slider.batch,), generator=rng)
        t = t.to(self._device)
        noisy = learner.noising.add_noise(self._drawn[which].to(self._device), noise, t)
        words = self._ids[which % len(self._ids)]  # (B, 3, E, T)
        sign = 1.0 if step % 2 == 0 else -1.0
        self.turn(0.0)
        with torch.no_grad():
            says = [learner.predict(noisy, t, words[:, i]).float() for i in range(3)]
            wanted = says[0] + sign * slider.eta * (says[1] - says[2])
        self.turn(sign)
        loss = (learner.predict(noisy, t, words[:, 0]).float() - wanted).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        norm = float(torch.nn.utils.clip_grad_norm_(learner.trained.values(), slider.plan.clip))
        self._watch.look(step + 1, float(loss.detach()), norm)
        lr = learning_rate(slider.plan, step, slider.steps)
        for group in self._optimizer.param_groups:
            group["lr"] = lr
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        return float(loss.detach()), norm, lr

    def turn(self, strength: float) -> None:
        """The adapter counts `strength` times: 0 is the model itself."""
        for place in self._learner.places.values():
            layer: Any = self._learner.module.get_submodule(place)
            layer.scaling[PEFTS] = strength
