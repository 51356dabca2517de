from __future__ import annotations

from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.evaluation.counts import count, known_tags

TAGS = ("O", "B-A", "I-A", "B-B", "I-B", "B-C")

tags = st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), max_size=9)
"""Gold and predicted tags of a document's words, legal or not."""


@pytest.mark.parametrize(
    ("gold", "predicted", "confusion"),
    [
        ("B-A I-A", "B-A I-A", {"found_as": {"A": {"A": 1}}}),
        ("B-A I-A", "B-B I-B", {"found_as": {"A": {"B": 1}}}),
        ("B-A I-A", "B-A O", {"boundaries": {"A": 1}}),
        ("B-A I-A", "B-A B-A", {"boundaries": {"A": 1}}),
        ("B-A B-A", "B-A I-A", {"boundaries": {"A": 2}}),
        ("B-A I-A", "O O", {"missed": {"A": 1}}),
        ("B-A I-A", "B-B O", {"missed": {"A": 1}, "spurious": {"B": 1}}),
        ("O O", "O B-A", {"spurious": {"A": 1}}),
        ("B-A O", "O B-A", {"missed": {"A": 1}, "spurious": {"A": 1}}),
        ("O I-A", "I-A O", {}),
        ("B-A I-B", "B-A O", {"found_as": {"A": {"A": 1}}}),
    ],
)
def test_each_entity_is_counted_by_its_kind_of_error(gold: str, predicted: str, confusion: dict[str, Any]) -> None:
    nothing: dict[str, Any] = {"found_as": {}, "boundaries": {}, "missed": {}, "spurious": {}}
    assert asdict(count([gold.split()], [predicted.split()])[1]) == nothing | confusion


def test_counts_are_of_documents_and_labels() -> None:
    counts, confusion = count([["B-B", "B-A"], ["O"]], [["B-B", "B-B"], ["B-A"]])
    assert counts.labels == ("A", "B")
    assert counts.correct.tolist() == [[0, 1], [0, 0]]
    assert counts.predicted.tolist() == [[0, 2], [1, 0]]
    assert counts.gold.tolist() == [[1, 1], [0, 0]]
    assert confusion.found_as == {"A": {"B": 1}, "B": {"B": 1}}


@pytest.mark.parametrize(
    ("labels", "totals"),
    [
        ({"A", "B"}, [[1, 2, 2], [0, 1, 0]]),
        ({"B", "unknown"}, [[1, 2, 1], [0, 0, 0]]),
        (set(), [[0, 0, 0], [0, 0, 0]]),
    ],
)
def test_totals_are_of_the_labels_asked_for(labels: set[str], totals: list[list[int]]) -> None:
    counts, _ = count([["B-B", "B-A"], ["O"]], [["B-B", "B-B"], ["B-A"]])
    assert counts.totals(labels).tolist() == totals


@given(st.lists(tags, max_size=5))
def test_every_gold_entity_is_counted_once_in_the_confusion(documents: list[list[tuple[str, str]]]) -> None:
    gold, predicted = ([[pair[side] for pair in document] for document in documents] for side in (0, 1))
    counts, confusion = count(gold, predicted)
    for column, label in enumerate(counts.labels):
        found_as = confusion.found_as.get(label, {})
        entities = sum(found_as.values()) + confusion.boundaries.get(label, 0) + confusion.missed.get(label, 0)
        assert entities == counts.gold[:, column].sum()
        assert found_as.get(label, 0) == counts.correct[:, column].sum()
        with_boundaries = sum(row.get(label, 0) for row in confusion.found_as.values())
        assert with_boundaries + confusion.spurious.get(label, 0) <= counts.predicted[:, column].sum()


@pytest.mark.parametrize(
    ("gold", "predicted", "known_gold", "known_predicted"),
    [
        ("B-A O", "O B-A", "B-A O", "O B-A"),
        ("- O B-A", "B-A O B-A", "O O B-A", "O O B-A"),
        ("- B-A", "B-A I-A", "O O", "O O"),
        ("- B-A O", "O B-A I-A", "O B-A O", "O B-A I-A"),
        ("B-A - B-B", "B-A I-A O", "O O B-B", "O O O"),
        ("- -", "O O", "O O", "O O"),
    ],
    ids=["all known", "on the unknown word", "over gold too", "beside it", "over one of two", "nothing predicted"],
)
def test_entities_with_words_of_unknown_tag_are_left_out(
    gold: str, predicted: str, known_gold: str, known_predicted: str
) -> None:
    assert known_tags([gold.split()], [predicted.split()]) == ([known_gold.split()], [known_predicted.split()])
