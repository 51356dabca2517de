from __future__ import annotations

from typing import Any

import pytest

from backend.scores import MIN_DOCUMENTS, Score, held_out_tasks

UNKNOWN: list[tuple[dict[str, Any], str, int]] = [
    ({}, "no task is held out yet, 30 are needed", 30),
    ({"f1": 1.0, "support": 0, "documents": 0}, "no task is held out yet, 30 are needed", 30),
    ({"f1": 1.0, "support": 0}, "no held-out task has regions", 0),
    ({"f1": 1.0, "support": 0, "documents": 40}, "no held-out task has regions", 0),
    ({"f1": 1.0, "support": 0, "documents": 12}, "only 12 held-out tasks, 18 more are needed", 18),
    ({"f1": 1.0, "support": 3, "documents": 2}, "only 2 held-out tasks, 28 more are needed", 28),
    ({"f1": 0.5, "support": 3, "documents": 1}, "only 1 held-out task, 29 more are needed", 29),
    ({"f1": 0.5, "support": 60, "documents": 29, "intervals": None}, "only 29 held-out tasks, 1 more is needed", 1),
    ({"f1": 0.5}, "an early release did not record the number of held-out tasks", 0),
    ({"f1": 0.5, "support": 60}, "an early release did not record the number of held-out tasks", 0),
]

KNOWN: list[tuple[dict[str, Any], str]] = [
    ({"f1": 0.5, "support": 90, "documents": 30}, "F1 0.500 on 30 held-out tasks"),
    ({"f1": 0.5, "support": 9, "documents": 30, "intervals": {"f1": None}}, "F1 0.500 on 30 held-out tasks"),
    (
        {"f1": 0.8056, "support": 2400, "documents": 1200, "intervals": {"f1": [0.7521, 0.853]}},
        "F1 0.806 (95 %: 0.752 to 0.853) on 1,200 held-out tasks",
    ),
]


@pytest.mark.parametrize(("metrics", "reason", "missing"), UNKNOWN)
def test_unknown_score_has_no_figure_and_gives_the_reason(metrics: dict[str, Any], reason: str, missing: int) -> None:
    score = Score.from_metrics(metrics)
    assert (score.f1, score.interval, score.missing) == (None, None, missing)
    assert (score.short, score.sentence) == ("F1 unknown", f"F1 unknown: {reason}")
    assert (score.to_dict()["f1"], score.to_dict()["unknown"]) == (None, reason)


@pytest.mark.parametrize(("metrics", "sentence"), KNOWN)
def test_known_score_is_given_with_its_interval_and_tasks(metrics: dict[str, Any], sentence: str) -> None:
    score = Score.from_metrics(metrics)
    assert (score.f1, score.sentence, score.missing) == (metrics["f1"], sentence, 0)
    assert score.short == sentence[:8]


def test_score_as_json() -> None:
    metrics = {"f1": 0.8, "support": 90, "documents": 40, "intervals": {"f1": [0.7, 0.9]}}
    assert Score.from_metrics(metrics).to_dict() == {
        "f1": 0.8,
        "interval": [0.7, 0.9],
        "documents": 40,
        "regions": 90,
        "unknown": None,
    }


@pytest.mark.parametrize("documents", range(MIN_DOCUMENTS - 2, MIN_DOCUMENTS + 2))
def test_score_is_known_from_thirty_held_out_tasks(documents: int) -> None:
    score = Score.from_metrics({"f1": 0.5, "support": 3, "documents": documents})
    assert (score.f1 is None) == (documents < 30) == (score.missing > 0)


def test_held_out_tasks_are_counted() -> None:
    assert [held_out_tasks(number) for number in (0, 1, 1200)] == [
        "0 held-out tasks",
        "1 held-out task",
        "1,200 held-out tasks",
    ]
