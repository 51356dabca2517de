from __future__ import annotations

from typing import Any

import pytest

from backend.errors import LabelStudioRefused
from backend.label_studio.annotators import AnnotatorNames, read_annotator_names
from tests.backend.fakes import FakeLabelStudio

ANN, BOB = 1, 2


def annotation(author: Any, **fields: Any) -> dict[str, Any]:
    return {"completed_by": author, "result": [], **fields}


@pytest.mark.parametrize(
    ("annotations", "names"),
    [
        ([], ()),
        ([annotation(ANN)], ("Ann Lee",)),
        ([annotation(BOB)], ("user 2",)),
        ([annotation({"id": BOB, "email": "bob@example.com"})], ("bob@example.com",)),
        ([annotation({"id": BOB, "email": "b@c.de", "first_name": "Bob", "last_name": ""})], ("Bob",)),
        ([annotation({"id": ANN})], ("Ann Lee",)),
        ([annotation("bob@example.com")], ("bob@example.com",)),
        ([annotation(None)], ()),
        ([annotation(ANN, was_cancelled=True)], ()),
        ([annotation(BOB, id=1), annotation(ANN, id=2)], ("Ann Lee", "user 2")),
        ([annotation(BOB, id=1, ground_truth=True), annotation(ANN, id=2)], ("user 2", "Ann Lee")),
        ([annotation(ANN, id=1), annotation(ANN, id=2)], ("Ann Lee",)),
    ],
)
def test_annotators_are_named_with_the_one_who_counts_first(annotations: list[Any], names: tuple[str, ...]) -> None:
    assert AnnotatorNames({ANN: "Ann Lee"}).of({"id": 5, "annotations": annotations}) == names


def test_users_are_named_by_id_where_the_token_may_not_read_their_names() -> None:
    studio = FakeLabelStudio()
    studio.names = {ANN: "Ann Lee"}
    task = {"annotations": [annotation(ANN)]}
    assert read_annotator_names(studio).of(task) == ("Ann Lee",)
    studio.refused["users"] = LabelStudioRefused("403")
    assert read_annotator_names(studio).of(task) == ("user 1",)
