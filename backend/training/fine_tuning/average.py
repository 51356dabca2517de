"""A running average of a model's weights, which generalises better than the weights of the last step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

_INTERVAL = 2
"""The average takes in the parameters after every second optimiser step."""


class Average:
    """Exponential moving average of ``parameters`` over about the last tenth of ``steps`` updates.

    It starts in the middle of training, as the plain mean: earlier weights would have no share in the result. Source:
    Polyak and Juditsky 1992, doi:10.1137/0330046.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter], *, steps: int) -> None:
        self._parameters: list[torch.Tensor] = list(parameters)
        self._values = [parameter.detach().clone() for parameter in self._parameters]
        self._decay = 1 - 1 / max(2.0, steps / (10 * _INTERVAL))
        self._steps = steps
        self._updates = self._averaged = 0

    @torch.no_grad()
    def update(self) -> None:
        """Add the parameters' current values to the average; call it after each optimiser step."""
        self._updates += 1
        left = self._steps - self._updates
        if left > self._steps / 2 or left % _INTERVAL:
            return
        decay = min(self._decay, self._averaged / (1 + self._averaged))
        self._averaged += 1
        torch._foreach_lerp_(self._values, self._parameters, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside the block the parameters are the average."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def copy(self) -> list[torch.Tensor]:
        """The current average."""
        return [values.clone() for values in self._values]

    @torch.no_grad()
    def restore(self, values: Sequence[torch.Tensor]) -> None:
        """Set the parameters to an earlier `copy`."""
        torch._foreach_copy_(self._parameters, list(values))

    def _swap(self) -> None:
        for parameter, value in zip(self._parameters, self._values, strict=True):
            parameter.data, value.data = value.data, parameter.data
