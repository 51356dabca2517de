"""Groups of similar length, so that padding costs next to nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def length_sorted(lengths: Sequence[int], *, budget: int) -> Iterator[list[int]]:
    """Group indices by similar length so that a group's padded size stays within ``budget``, longest first.

    One that is longer than the budget is a group of its own.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
