from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.training.fine_tuning.schedule import MAX_PIECES, default_epochs, epoch_batches, lr_factor


@given(st.lists(st.integers(2, 512), max_size=300), st.integers(1, 40), st.text(max_size=3))
def test_every_example_is_in_one_batch_of_bounded_size(lengths: list[int], batch_size: int, seed: str) -> None:
    batches = epoch_batches(lengths, batch_size=batch_size, seed=seed)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    for batch in batches:
        assert 1 <= len(batch) <= batch_size
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= MAX_PIECES


def test_there_is_little_padding() -> None:
    lengths = [5 + index * 7 % 60 for index in range(2000)]
    batches = epoch_batches(lengths, batch_size=32, seed="1")
    padded = sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)
    assert padded / sum(lengths) < 1.05


def test_batches_depend_on_the_seed_and_on_nothing_else() -> None:
    lengths = [5 + index % 30 for index in range(200)]
    first, again, other = (epoch_batches(lengths, batch_size=16, seed=seed) for seed in ("1-0", "1-0", "1-1"))
    assert first == again
    assert first != other
    assert [lengths[batch[0]] for batch in first] != sorted(lengths[batch[0]] for batch in first)


@pytest.mark.parametrize(
    ("examples", "expected"),
    [(1, 30), (48, 30), (320, 24), (1000, 8), (2560, 3), (20_000, 3)],
)
def test_few_documents_are_trained_for_more_epochs(examples: int, expected: float) -> None:
    assert default_epochs(examples, 32) == expected
    assert default_epochs(examples, 32, warm=True) == expected / 2


def test_learning_rate_rises_to_its_peak_and_falls_to_zero() -> None:
    rates = [lr_factor(done / 100) for done in range(101)]
    assert (rates[0], max(rates), rates[10], rates[100]) == (0, 1, 1, 0)
    assert all(later > earlier for earlier, later in pairwise(rates[:11]))
    assert all(later < earlier for earlier, later in pairwise(rates[10:]))
