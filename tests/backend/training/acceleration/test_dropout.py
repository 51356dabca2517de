from __future__ import annotations

import pytest
import torch
from torch import nn

from backend.training.acceleration.dropout import QuickDropout, quick_dropout
from backend.training.base_model.encoder import load_classifier


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_share_of_values_is_dropped_and_the_mean_is_kept(p: float) -> None:
    torch.manual_seed(1)
    values = QuickDropout(p)(torch.ones(1000, 333))
    assert float((values == 0).float().mean()) == pytest.approx(p, abs=0.004)
    assert float(values.mean()) == pytest.approx(1.0, abs=0.02)


def test_neighbours_are_dropped_independently() -> None:
    torch.manual_seed(1)
    dropped = (QuickDropout(0.5)(torch.ones(4000, 8)) == 0).float()
    assert torch.corrcoef(dropped.T).fill_diagonal_(0).abs().max() < 0.06


def test_seed_decides_and_gradients_follow_the_mask() -> None:
    values = torch.randn(7, 5, dtype=torch.bfloat16, requires_grad=True)
    masks = []
    for _ in range(2):
        torch.manual_seed(3)
        out = QuickDropout(0.5)(values)
        masks.append(out.detach())
    assert torch.equal(*masks)
    assert out.dtype == torch.bfloat16
    out.sum().backward()
    assert values.grad is not None
    assert torch.equal(values.grad == 0, masks[0] == 0)


@pytest.mark.parametrize("module", [QuickDropout(0.5).eval(), QuickDropout(0.0)])
def test_nothing_is_dropped_outside_training_or_for_no_probability(module: QuickDropout) -> None:
    values = torch.randn(9)
    assert torch.equal(module(values), values)


def test_everything_may_be_dropped() -> None:
    assert not QuickDropout(1.0)(torch.ones(9)).any()


def test_modules_of_the_model_are_restored_afterwards() -> None:
    model, _ = load_classifier("embedded", ["Dish"])
    before = {name: child for name, child in model.named_modules() if type(child) is nn.Dropout}
    model.train()
    with quick_dropout(model):
        assert not any(type(child) is nn.Dropout for child in model.modules())
        assert sum(type(child) is QuickDropout for child in model.modules()) == len(before) > 0
        model.eval()
    after = {name: child for name, child in model.named_modules() if type(child) is nn.Dropout}
    assert after == before
    assert not any(child.training for child in after.values())
