from __future__ import annotations

import pytest
import torch

from backend.training.average import Average


def test_the_average_follows_and_the_parameters_stay_what_they_are() -> None:
    parameter = torch.nn.Parameter(torch.zeros(2))
    average = Average([parameter], steps=100)
    for value in range(1, 101):
        parameter.data.fill_(float(value))
        average.update()
    assert parameter.tolist() == [100.0, 100.0]
    with average.applied():
        assert parameter.tolist() == [pytest.approx(91, abs=1), pytest.approx(91, abs=1)]
    assert parameter.tolist() == [100.0, 100.0]


def test_first_updates_forget_the_initial_weights() -> None:
    parameter = torch.nn.Parameter(torch.full((1,), -1000.0))
    average = Average([parameter], steps=10_000)
    parameter.data.fill_(1.0)
    for _ in range(100):
        average.update()
    with average.applied():
        assert parameter.item() == pytest.approx(1.0, abs=0.01)


def test_a_copy_can_be_put_back() -> None:
    parameter = torch.nn.Parameter(torch.ones(1))
    average = Average([parameter], steps=10)
    kept = average.copy()
    parameter.data.fill_(5.0)
    average.update()
    average.put(kept)
    assert parameter.item() == 1.0
