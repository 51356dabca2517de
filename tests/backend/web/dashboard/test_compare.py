from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from backend.evaluation.comparison import Entity, to_rows
from backend.evaluation.evaluate import score
from backend.loop import Loop
from backend.store.models import Comparison, Version
from backend.web.dashboard.compare import changes, label_rows
from tests.backend.fakes import UID
from tests.backend.web.dashboard.conftest import PAGE, Lead, plain

GOLD = [["B-Dish", "I-Dish", "O"], ["B-Price", "O", "B-Dish"]] * 20
WEAK = score(GOLD, [["B-Dish", "I-Dish", "O"], ["B-Price", "O", "O"]] * 20).to_dict()
STRONG = score(GOLD, [["B-Dish", "I-Dish", "O"], ["B-Price", "O", "B-Dish"]] * 20).to_dict()
FEW = score(GOLD[:4], GOLD[:4]).to_dict()


def entity(text: str, *, given: bool, versions: list[int]) -> Entity:
    return Entity("12", "", 50, 50 + len(text), "Dish", given, versions, "I ordered ", text, " today")


ENTITIES = [
    entity("ramen", given=True, versions=[1]),
    entity("soup", given=True, versions=[0]),
    entity("today", given=False, versions=[1]),
    entity("order", given=False, versions=[0, 2]),
    entity("other", given=True, versions=[0, 1]),
]
NAMES = ["ner-v1", "ner-v2", "ner-v3"]


@pytest.fixture
def compared(publish: Callable[..., Version], loop: Loop) -> Loop:
    """Two versions that were scored in one run, of which ner-v1 serves."""
    for name, metrics in (("ner-v1", WEAK), ("ner-v2", STRONG)):
        publish(name, metrics=metrics, labels=("Dish", "Price"))
    with loop.store._database.write() as session:
        for row in session.query(Version).all():
            row.scored_in = "r2"
        session.add(Comparison(project=UID, run="r2", versions=NAMES, entities=to_rows(ENTITIES), left_out=3))
    loop.promote(UID, "ner-v1", actor="dashboard")
    return loop


def test_two_versions_are_compared_by_label_and_by_region(lead: Lead, compared: Loop) -> None:
    page = lead.read(f"{PAGE}compare?a=ner-v1&b=ner-v2")
    assert "Both versions are scored on the same 40 held-out tasks." in page
    assert "Gained: only ner-v2 finds what people marked 1" in page
    assert "…I ordered ramen today Dish 12 in Label Studio" in page
    assert "Lost: only ner-v1 finds what people marked 1" in page
    assert "New mistakes: only ner-v2 marks what people did not 1" in page
    assert "Mistakes that are gone: only ner-v1 marks what people did not 1" in page
    assert "3 more regions on which versions of this project differ were not stored." in page


@pytest.mark.parametrize("serving", ["ner-v1", "ner-v2"])
def test_the_serving_version_and_the_newest_other_one_are_compared_first(
    lead: Lead, compared: Loop, serving: str
) -> None:
    compared.promote(UID, serving, actor="dashboard")
    for query in ("", "?a=ner-v1", "?b=ner-v2"):
        assert lead.read(f"{PAGE}compare{query}") == lead.read(f"{PAGE}compare?a=ner-v1&b=ner-v2")


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("a=ner-v1&b=ner-v1", 200, "Choose two different versions."),
        ("a=ner-v1&b=ner-v9", 404, "has no model version 'ner-v9'; it has: ner-v2, ner-v1."),
        ("a=<b>&b=ner-v1", 404, "has no model version"),
    ],
)
def test_versions_that_cannot_be_compared_are_named(
    lead: Lead, compared: Loop, query: str, status: int, sentence: str
) -> None:
    answer = lead.get(f"{PAGE}compare?{query}")
    assert answer.status_code == status
    assert sentence in plain(answer.text)


def test_versions_scored_on_other_tasks_are_not_compared(lead: Lead, compared: Loop) -> None:
    with compared.store._database.write() as session:
        session.query(Version).filter_by(name="ner-v1").one().scored_in = "r1"
    page = lead.read(f"{PAGE}compare")
    assert "ner-v1 and ner-v2 were not scored on the same held-out tasks" in page
    assert "By label" not in page


def test_one_version_alone_is_said(lead: Lead, publish: Callable[..., Version]) -> None:
    publish("ner-v1")
    assert "There is one version only." in lead.read(f"{PAGE}compare")


@pytest.mark.parametrize(
    ("a", "b", "rows"),
    [
        (WEAK, STRONG, [("Price", "0.000"), ("Dish", "+0.333")]),
        (STRONG, WEAK, [("Dish", "−0.333"), ("Price", "0.000")]),
        (FEW, STRONG, [("Dish", ""), ("Price", "")]),
        ({}, {}, []),
    ],
)
def test_labels_that_lost_most_come_first(a: dict[str, Any], b: dict[str, Any], rows: list[tuple[str, str]]) -> None:
    assert [(row.label, row.difference) for row in label_rows(a, b)] == rows


def test_labels_whose_f1_is_unknown_have_no_column_of_differences(lead: Lead, compared: Loop) -> None:
    assert "Label ner-v1 ner-v2 Difference Price" in lead.read(f"{PAGE}compare")
    with compared.store._database.write() as session:
        for row in session.query(Version).all():
            row.metrics = FEW
    page = lead.read(f"{PAGE}compare")
    assert "Label ner-v1 ner-v2 Dish found 4 of 4 found 4 of 4 Price" in page
    assert "Difference" not in page


def test_regions_of_another_run_are_not_shown(compared: Loop) -> None:
    second, first = compared.versions(UID)
    comparison = compared.store.comparisons.get(UID)
    found = changes(comparison, first, second)
    assert found is not None
    assert [row["text"] for row in found.right_now] == ["order"]
    first.scored_in = "r1"
    assert changes(comparison, first, second) is None
    assert changes(None, first, second) is None
