from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from backend.errors import LabelStudioUnreachable, ProjectReplaced
from backend.label_studio.api import Prediction
from backend.label_studio.label_issues_tab import TAB, VERSION, push
from backend.store.models import LabelIssue
from tests.backend.fakes import UID, FakeLabelStudio


@pytest.fixture
def studio() -> FakeLabelStudio:
    studio = FakeLabelStudio(tasks=9)
    studio.annotate(*range(1, 10))
    return studio


def issue(task: int, score: float, *model_view: tuple[int, int, str]) -> LabelIssue:
    names = ("start", "end", "label", "score")
    return LabelIssue(
        project=UID, task=str(task), text_name="", start=0, end=5, text="sushi",
        given="Dish", kind="wrong label", view="",
        found=[dict(zip(names, (*span, 0.75), strict=True)) for span in model_view], score=score,
    )  # fmt: skip


def pushed(studio: FakeLabelStudio, label_issues: Sequence[LabelIssue]) -> list[Prediction]:
    """In the order in which they were stored."""
    reports: list[float] = []
    number = push(studio, UID, label_issues, progress=reports.append)
    assert reports == sorted(reports)
    assert reports[-1:] == ([1.0] if label_issues else [])
    stored = [prediction for (_, version), prediction in studio.stored.items() if version == VERSION]
    assert len(stored) == number
    return stored


def values(prediction: Prediction) -> list[dict[str, Any]]:
    return [region["value"] for region in prediction.regions]


def test_each_task_gets_one_prediction_the_highest_score_last(studio: FakeLabelStudio) -> None:
    stored = pushed(studio, [issue(3, 0.9), issue(1, 0.7), issue(2, 0.8), issue(1, 0.99)])
    assert [(prediction.task, prediction.score, prediction.mislabeling) for prediction in stored] == [
        (2, 0.8, 0.8),
        (3, 0.9, 0.9),
        (1, 0.99, 0.99),
    ]
    assert studio.tabs == {TAB: (VERSION, datetime.fromtimestamp(3, UTC))}


def test_prediction_holds_what_the_model_would_mark(studio: FakeLabelStudio) -> None:
    spans = [(6, 12, "Location"), (0, 5, "Cuisine")]
    [prediction] = pushed(studio, [issue(1, 0.9, *spans), issue(1, 0.8, spans[1]), issue(1, 0.7)])
    assert values(prediction) == [
        {"start": 0, "end": 5, "text": "sushi", "labels": ["Cuisine"]},
        {"start": 6, "end": 12, "text": "number", "labels": ["Location"]},
    ]
    assert [region["score"] for region in prediction.regions] == [0.75, 0.75]


def test_region_whose_label_or_text_is_gone_is_left_out(studio: FakeLabelStudio) -> None:
    [prediction] = pushed(studio, [issue(1, 0.9, (0, 5, "Gone"), (0, 99, "Dish"), (0, 5, "Dish"))])
    assert [value["text"] for value in values(prediction)] == ["sushi"]


def test_text_at_an_address_is_loaded(studio: FakeLabelStudio) -> None:
    studio.label_config = studio.label_config.replace("<Text ", '<Text valueType="url" ')
    load = {text: f"Thai {text}" for text in studio.texts.values()}.__getitem__
    push(studio, UID, [issue(1, 0.9, (0, 4, "Cuisine"))], progress=lambda _: None, open_loader=lambda _: load)
    assert values(studio.stored[1, VERSION]) == [{"start": 0, "end": 4, "text": "Thai", "labels": ["Cuisine"]}]


def test_later_push_replaces_the_earlier_one_and_no_predictions_of_a_version(studio: FakeLabelStudio) -> None:
    studio.stored[1, "ner-v1"] = Prediction(1, [], 0.5, "ner-v1")
    pushed(studio, [issue(1, 0.9), issue(2, 0.9)])
    assert [prediction.task for prediction in pushed(studio, [issue(3, 0.9)])] == [3]
    assert pushed(studio, []) == []
    assert studio.predicted("ner-v1") == {1}


def test_task_that_was_deleted_or_is_not_labelled_any_more_is_left_out(studio: FakeLabelStudio) -> None:
    del studio.owners[1002]
    studio.gone = {4}
    stored = pushed(studio, [issue(task, score) for task, score in ((2, 0.6), (4, 0.7), (1, 0.8), (77, 0.9))])
    assert [prediction.task for prediction in stored] == [1]


def test_unreachable_label_studio_is_not_taken_for_a_missing_task(studio: FakeLabelStudio, monkeypatch: Any) -> None:
    def fail(prediction: Prediction) -> None:
        raise LabelStudioUnreachable("no answer")

    monkeypatch.setattr(studio, "create_prediction", fail)
    with pytest.raises(LabelStudioUnreachable):
        pushed(studio, [issue(1, 0.9)])


def test_project_that_replaced_ours_gets_nothing(studio: FakeLabelStudio) -> None:
    studio.uid = "7.1999999999"
    with pytest.raises(ProjectReplaced):
        pushed(studio, [issue(1, 0.9)])
    assert studio.stored == {}
