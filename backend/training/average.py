"""The running average of a model's weights, which generalises better than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

_EACH = 2
"""Updates of the parameters for one of the average."""


class Average:
    """Exponential moving average of ``parameters`` over about the last tenth of ``steps`` updates.

    It begins in the middle of training, as the plain mean; the weights before that would be forgotten anyway. Source:
    Polyak and Juditsky 1992, doi:10.1137/0330046.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter], *, steps: int) -> None:
        self._parameters: list[torch.Tensor] = list(parameters)
        self._values = [each.detach().clone() for each in self._parameters]
        self._decay = 1 - 1 / max(2.0, steps / (10 * _EACH))
        self._steps = steps
        self._updates = self._taken = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the parameters' present values in; to be called after each of their updates."""
        self._updates += 1
        left = self._steps - self._updates
        if left > self._steps / 2 or left % _EACH:
            return
        decay = min(self._decay, self._taken / (1 + self._taken))
        self._taken += 1
        torch._foreach_lerp_(self._values, self._parameters, 1 - decay)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Inside, the parameters hold the average."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    def copy(self) -> list[torch.Tensor]:
        """The average as it is now."""
        return [each.clone() for each in self._values]

    @torch.no_grad()
    def put(self, values: Sequence[torch.Tensor]) -> None:
        """Make ``values``, an earlier `copy`, the parameters' own."""
        torch._foreach_copy_(self._parameters, list(values))

    def _swap(self) -> None:
        for parameter, value in zip(self._parameters, self._values, strict=True):
            parameter.data, value.data = value.data, parameter.data
