from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from backend.evaluation.evaluate import score
from backend.store.data_state import DataState, LabelCount
from backend.store.models import Promotion, Version
from backend.web.dashboard.labels import LabelTable, label_table
from tests.backend.web.dashboard.conftest import Lead

GOLD = [["B-Dish", "I-Dish", "O"], ["B-Price", "O", "B-Dish"], ["O", "B-Hours", "O"]]
PREDICTED = [["B-Dish", "O", "O"], ["B-Dish", "O", "B-Dish"], ["B-Price", "O", "O"]]
WEAK = score(GOLD * 12, PREDICTED * 12).to_dict()
PERFECT = score(GOLD * 12, GOLD * 12).to_dict()
DATA = DataState(labels=[LabelCount("Dish", 40, 4, 30), LabelCount("Price", 9, 2, 9), LabelCount("Hours", 3, 3, 3)])


def version(number: int, metrics: Mapping[str, Any], *, scored_in: str | None = "9", served: bool = True) -> Version:
    promotions = [Promotion(project="7.1", version=f"ner-v{number}")] if served else []
    return Version(
        project="7.1", number=number, name=f"ner-v{number}", run="r", labels=[], metrics=dict(metrics),
        scored_in=scored_in, promotions=promotions,
    )  # fmt: skip


def by_label(table: LabelTable, field: str) -> dict[str, Any]:
    return {row.label: getattr(row, field) for row in table.rows}


def test_labels_come_weakest_first_then_those_with_an_unknown_f1_and_those_without_regions_last() -> None:
    dish = WEAK["per_label"]["Dish"]
    rare, absent = {**dish, "interval": None}, {**dish, "support": 0, "interval": None}
    metrics = {**WEAK, "per_label": {"Absent": absent, "Rare": rare, **WEAK["per_label"]}}
    current = version(1, metrics)
    rows = label_table([current], current, DataState(), ["Added"]).rows
    assert [row.label for row in rows] == ["Hours", "Price", "Dish", "Rare", "Absent", "Added"]
    assert [row.score.f1 if row.score else "" for row in rows] == [0.0, 0.0, 0.4, None, None, ""]
    assert rows[3].score is not None
    assert rows[3].score.counts == "found 12 of 24, 24 wrong"


def test_examples_are_the_regions_that_are_not_held_out() -> None:
    current = version(1, PERFECT)
    table = label_table([current], current, DATA, ["Dish", "Price", "Hours", "City"])
    assert by_label(table, "examples") == {"Dish": 36, "Price": 7, "Hours": 0, "City": 0}
    assert by_label(table, "held_out") == {"Dish": 24, "Price": 12, "Hours": 12, "City": 0}
    assert set(table.without_examples) == {"Hours", "City"}
    assert table.fewest is not None
    assert table.fewest.label == "Price"


def test_before_the_first_version_labels_with_the_fewest_examples_come_first() -> None:
    table = label_table([], None, DATA, ["Dish", "City"])
    assert [(row.label, row.examples, row.held_out) for row in table.rows] == [
        ("City", 0, 0), ("Hours", 0, 3), ("Price", 7, 2), ("Dish", 36, 4),
    ]  # fmt: skip


def test_without_examples_and_versions_there_are_no_rows() -> None:
    assert label_table([], None, None, ["Dish"]).rows == ()


def test_examples_that_nobody_has_counted_are_unknown() -> None:
    current = version(1, PERFECT)
    table = label_table([current], current, None, ["Dish", "City"])
    assert by_label(table, "examples") == {"Dish": None, "Hours": None, "Price": None}
    assert (table.without_examples, table.fewest) == ((), None)


def test_f1_is_compared_with_that_of_the_version_that_served_before() -> None:
    versions = [version(3, PERFECT), version(2, PERFECT, served=False), version(1, WEAK)]
    table = label_table(versions, versions[0], None, [])
    assert (table.version, table.previous) == ("ner-v3", "ner-v1")
    assert by_label(table, "change") == {"Dish": "+0.600", "Hours": "+1.000", "Price": "+1.000"}


def test_labels_with_an_unknown_f1_are_compared_by_counts() -> None:
    few_before, few = score(GOLD, PREDICTED).to_dict(), score(GOLD, GOLD).to_dict()
    versions = [version(2, few), version(1, few_before)]
    rows = label_table(versions, versions[0], None, []).rows
    assert {(row.label, row.change, row.before, row.score.counts if row.score else "") for row in rows} == {
        ("Dish", "", "found 1 of 2, 2 wrong", "found 2 of 2"),
        ("Price", "", "found 0 of 1, 1 wrong", "found 1 of 1"),
        ("Hours", "", "found 0 of 1", "found 1 of 1"),
    }


def test_table_without_a_known_f1_has_no_columns_for_it(lead: Lead, publish: Callable[..., Version]) -> None:
    publish("ner-v1", metrics=score(GOLD, PREDICTED).to_dict())
    publish("ner-v2", metrics=score(GOLD, GOLD).to_dict())
    page = lead.read()
    assert "Label Found Held out Dish found 2 of 2 ner-v1: found 1 of 2, 2 wrong 2 Hours" in page
    assert "95 % interval" not in page
    assert "Precision" not in page
    publish("ner-v3", metrics=WEAK)
    assert "Label F1 Against ner-v2 Held out 95 % interval Precision Recall Hours 0.000" in lead.read()


def test_labels_that_are_all_rare_are_counted_and_the_reason_is_said(
    lead: Lead, publish: Callable[..., Version]
) -> None:
    rare = {label: {**row, "interval": None} for label, row in PERFECT["per_label"].items()}
    publish("ner-v1", metrics={**PERFECT, "per_label": rare})
    page = lead.read()
    assert "Counts of regions, since F1 is unknown: no label occurs in 10 held-out tasks." in page
    assert "Label Found Held out Dish found 24 of 24" in page


@pytest.mark.parametrize(
    ("current", "others"),
    [
        (version(2, PERFECT), [version(1, WEAK, scored_in="8")]),
        (version(2, PERFECT, scored_in=None), [version(1, WEAK, scored_in=None)]),
        (version(2, PERFECT), [version(3, WEAK)]),
        (version(2, PERFECT), []),
    ],
)
def test_versions_that_cannot_be_compared_show_no_change(current: Version, others: list[Version]) -> None:
    table = label_table([*others, current], current, None, [])
    assert table.previous is None
    assert set(by_label(table, "change").values()) == {""}
