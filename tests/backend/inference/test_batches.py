from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from backend.inference.batches import length_sorted


@given(lengths=st.lists(st.integers(1, 60), max_size=80), budget=st.integers(1, 100))
def test_each_is_in_one_batch_within_the_budget_and_longest_first(lengths: list[int], budget: int) -> None:
    batches = list(length_sorted(lengths, budget=budget))
    order = [index for batch in batches for index in batch]
    assert sorted(order) == list(range(len(lengths)))
    assert [lengths[index] for index in order] == sorted(lengths, reverse=True)
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


def test_texts_of_one_length_fill_the_budget() -> None:
    assert [len(batch) for batch in length_sorted([8] * 40, budget=128)] == [16, 16, 8]
