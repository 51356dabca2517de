from __future__ import annotations

import pytest
import torch

from backend.training.fine_tuning.average import Average


def test_the_average_follows_and_the_parameters_stay_what_they_are() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    average = Average([parameter], steps=200)
    for value in range(1, 201):
        parameter.data.fill_(float(value))
        average.update()
    assert parameter.tolist() == [200.0, 200.0]
    with average.applied():  # about the last twenty
        assert parameter.tolist() == [pytest.approx(181, abs=3), pytest.approx(181, abs=3)]
    assert parameter.tolist() == [200.0, 200.0]


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 200])
def test_nothing_of_the_initial_weights_is_left(steps: int) -> None:
    parameter = torch.nn.Parameter(torch.full((1,), -1000.0))
    average = Average([parameter], steps=steps)
    parameter.data.fill_(1.0)
    for _ in range(steps):
        average.update()
    with average.applied():
        assert parameter.item() == 1.0


def test_a_copy_can_be_restored() -> None:
    parameter = torch.nn.Parameter(torch.ones(1))
    average = Average([parameter], steps=10)
    copy = average.copy()
    parameter.data.fill_(5.0)
    average.update()
    average.restore(copy)
    assert parameter.item() == 1.0
