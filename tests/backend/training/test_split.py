from __future__ import annotations

from collections import Counter

import pytest

from backend.errors import NotEnoughLabels
from backend.training.split import side, split
from converters.document import Document, Span


def labelled(id: str) -> Document:
    return Document(id=id, text="Thai", spans=(Span(0, 4, "Cuisine"),))


def ids_on(wanted: str, count: int) -> list[str]:
    return [str(number) for number in range(1000) if side(str(number)) == wanted][:count]


@pytest.mark.parametrize(("id", "expected"), [("1", "train"), ("12", "train"), ("17", "train")])
def test_side_never_changes(id: str, expected: str) -> None:
    assert side(id) == expected


def test_sides_are_eighty_ten_ten() -> None:
    counts = Counter(side(str(number)) for number in range(10_000))
    assert counts["train"] == pytest.approx(8000, abs=150)
    assert counts["validation"] == pytest.approx(1000, abs=120)
    assert counts["test"] == pytest.approx(1000, abs=120)


def test_any_id_has_a_side() -> None:
    assert {side(id) for id in ("", "\ud800", "🍣")} <= {"train", "validation", "test"}


def test_every_document_is_on_one_side_in_order() -> None:
    documents = [labelled(str(number)) for number in range(200)]
    parts = split(documents)
    assert sorted(parts.train + parts.validation + parts.test, key=lambda one: int(one.id)) == documents
    assert [one for one in documents if side(one.id) == "train"] == list(parts.train)


def test_more_documents_move_no_earlier_one() -> None:
    documents = [labelled(str(number)) for number in range(100)]
    assert set(split(documents[:50]).test) <= set(split(documents).test)


def test_empty_validation_and_test_are_legal() -> None:
    parts = split([labelled(id) for id in ids_on("train", 3)])
    assert (len(parts.train), parts.validation, parts.test) == (3, (), ())


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ([], "There are 0 labelled tasks"),
        ([Document("1", "Thai"), Document("2", "food")], "The 2 labelled tasks hold 0 regions"),
        ([labelled(id) for id in ids_on("test", 2)], "Of 2 labelled tasks with 2 regions, 0 fell on the training"),
        (
            [Document(ids_on("train", 1)[0], "food"), labelled(ids_on("validation", 1)[0])],
            "Of 2 labelled tasks with 1 regions, 1 fell on the training side, without a single region",
        ),
    ],
)
def test_too_few_labels_are_explained(documents: list[Document], message: str) -> None:
    with pytest.raises(NotEnoughLabels, match=message) as caught:
        split(documents)
    assert "start training again" in str(caught.value)
