"""Batches of similar length, which need little padding."""

from __future__ import annotations

from collections.abc import Iterator, Sequence


def length_sorted(lengths: Sequence[int], *, budget: int) -> Iterator[list[int]]:
    """Group the indices of ``lengths`` into batches whose padded size stays within ``budget``, longest first.

    An item longer than the budget is a batch of its own.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
