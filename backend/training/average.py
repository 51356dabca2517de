"""The running average of a model's weights, which generalises better than the weights themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


class Average:
    """Exponential moving average over about the last tenth of ``steps`` updates of ``parameters``.

    The first updates weigh more, so that the initial weights are soon forgotten. Source: Polyak and Juditsky 1992,
    doi:10.1137/0330046; the warm-up is TensorFlow's ``ExponentialMovingAverage(num_updates=…)``.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter], *, steps: int) -> None:
        self._parameters: list[torch.Tensor] = list(parameters)
        self._values = [each.detach().clone() for each in self._parameters]
        self._decay = 1 - 1 / max(2.0, steps / 10)
        self._updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take the parameters' present values in."""
        self._updates += 1
        decay = min(self._decay, (1 + self._updates) / (10 + self._updates))
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
