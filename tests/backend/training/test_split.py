from __future__ import annotations

from collections import Counter

import pytest

from backend.errors import NotEnoughLabels
from backend.training.split import split, subset_of
from converters.tagged import TaggedDocument
from tests.samples import tagged


def labelled(id: str) -> TaggedDocument:
    return tagged("[Thai|Cuisine]", id=id)


def ids_in(subset: str, count: int) -> list[str]:
    return [str(number) for number in range(1000) if subset_of(str(number)) == subset][:count]


@pytest.mark.parametrize(("id", "expected"), [("1", "train"), ("12", "train"), ("17", "train")])
def test_subset_never_changes(id: str, expected: str) -> None:
    assert subset_of(id) == expected


def test_subsets_are_eighty_ten_ten() -> None:
    counts = Counter(subset_of(str(number)) for number in range(10_000))
    assert counts["train"] == pytest.approx(8000, abs=150)
    assert counts["validation"] == pytest.approx(1000, abs=120)
    assert counts["test"] == pytest.approx(1000, abs=120)


def test_any_id_has_a_subset() -> None:
    assert {subset_of(id) for id in ("", "\ud800", "🍣")} <= {"train", "validation", "test"}


def test_every_document_is_in_one_subset_in_order() -> None:
    documents = [labelled(str(number)) for number in range(200)]
    parts = split(documents)
    assert sorted(parts.train + parts.validation + parts.test, key=lambda document: int(document.id)) == documents
    assert [document for document in documents if subset_of(document.id) == "train"] == list(parts.train)


def test_more_documents_move_no_earlier_one() -> None:
    documents = [labelled(str(number)) for number in range(100)]
    assert set(split(documents[:50]).test) <= set(split(documents).test)


def test_empty_validation_and_test_are_legal() -> None:
    parts = split([labelled(id) for id in ids_in("train", 3)])
    assert (len(parts.train), parts.validation, parts.test) == (3, (), ())


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "There are 0 labelled tasks"),
        ([tagged("Thai", id="1"), tagged("food", id="2")], "2 labelled tasks, but 0 regions with the project's labels"),
        ([labelled(id) for id in ids_in("test", 2)], r"2 labelled tasks with 2 regions .+ training set \(0 tasks\)"),
        (
            [tagged("food", id=ids_in("train", 1)[0]), labelled(ids_in("validation", 1)[0])],
            r"2 labelled tasks with 1 region are too few: .+ the training set \(1 task\) has no region",
        ),
    ],
)
def test_too_few_labels_are_explained(documents: list[TaggedDocument], message: str) -> None:
    with pytest.raises(NotEnoughLabels, match=message) as caught:
        split(documents)
    assert "start training again" in str(caught.value)
