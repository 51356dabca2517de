from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from backend import refresh as module
from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.label_studio import OpenTask
from backend.refresh import Refreshed, predict, refresh
from label_config import LabelConfig
from tests.backend.fakes import LABEL_CONFIG, FakeLabelStudio, SushiTagger

CONFIG = LabelConfig.from_xml(LABEL_CONFIG)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 4)


def run(
    studio: FakeLabelStudio, version: str = "ner-v1", *, keep_going: Callable[[], bool] = lambda: True
) -> Refreshed:
    return refresh(
        studio, 7, version=version, tagger=SushiTagger(), config=CONFIG, keep_going=keep_going,
    )  # fmt: skip


def test_unlabelled_tasks_are_predicted_in_batches() -> None:
    studio = FakeLabelStudio(tasks=10)
    studio.annotate(3)
    assert run(studio) == Refreshed(stored=9, refused=0, complete=True)
    assert studio.imports == [4, 4, 1]
    assert studio.predicted("ner-v1") == {1, 2, 4, 5, 6, 7, 8, 9, 10}
    assert studio.shown == "ner-v1"


def test_prediction_has_regions_score_and_version() -> None:
    data: list[dict[str, Any]] = [{"text": "some sushi"}, {}, {"text": None}]
    tasks = [OpenTask(number, each, frozenset()) for number, each in enumerate(data, start=1)]
    first, *empty = predict(tasks, version="ner-v1", tagger=SushiTagger(), config=CONFIG)
    assert (first.task, first.version, first.score) == (1, "ner-v1", pytest.approx(1 / 11))
    assert first.regions[0]["value"] == {"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}
    assert [(each.task, each.regions) for each in empty] == [(2, []), (3, [])]


def test_refresh_goes_on_where_it_stopped() -> None:
    studio = FakeLabelStudio(tasks=10)
    asked = count()
    assert run(studio, keep_going=lambda: next(asked) < 2) == Refreshed(stored=8, refused=0, complete=False)
    assert studio.shown == ""
    assert run(studio) == Refreshed(stored=2, refused=0, complete=True)
    assert studio.imports == [4, 4, 2]
    assert studio.shown == "ner-v1"


def test_newer_version_predicts_every_task_anew() -> None:
    studio = FakeLabelStudio(tasks=3)
    run(studio, "ner-v1")
    run(studio, "ner-v2")
    assert studio.predicted("ner-v2") == {1, 2, 3}
    assert studio.shown == "ner-v2"


def test_version_is_not_shown_once_another_was_promoted() -> None:
    studio = FakeLabelStudio(tasks=4)
    asked = count()
    run(studio, keep_going=lambda: next(asked) < 1)
    assert studio.predicted("ner-v1") == {1, 2, 3, 4}
    assert studio.shown == ""


@pytest.mark.parametrize("gone", [{1}, {4}, {2, 3}, {5, 6, 7, 8}])
def test_deleted_task_costs_only_its_own_prediction(gone: set[int]) -> None:
    studio = FakeLabelStudio(tasks=9)
    studio.gone = gone
    assert run(studio) == Refreshed(stored=9 - len(gone), refused=len(gone), complete=True)
    assert studio.predicted("ner-v1") == set(range(1, 10)) - gone
    assert studio.shown == "ner-v1"


@pytest.mark.parametrize("error", [LabelStudioUnreachable("no answer"), LabelStudioRefused("no token")])
def test_what_concerns_every_task_is_asked_once(error: LabelStudioError, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=9)
    asked: list[int] = []

    def fail(project_id: int, predictions: list[object]) -> int:
        asked.append(len(predictions))
        raise error

    monkeypatch.setattr(studio, "import_predictions", fail)
    with pytest.raises(type(error)):
        run(studio)
    assert asked == [4]


def test_predictions_that_label_studio_skips_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=4)
    store = studio.import_predictions
    monkeypatch.setattr(studio, "import_predictions", lambda project, sent: store(project, sent[:-1]))
    assert run(studio) == Refreshed(stored=3, refused=1, complete=True)


def test_project_with_every_task_labelled_keeps_its_shown_version() -> None:
    studio = FakeLabelStudio(tasks=2)
    studio.annotate(1, 2)
    assert run(studio) == Refreshed(stored=0, refused=0, complete=True)
    assert studio.shown == ""


def test_version_without_a_stored_prediction_is_not_shown() -> None:
    studio = FakeLabelStudio(tasks=2)
    studio.gone = {1, 2}
    assert run(studio).refused == 2
    assert studio.shown == ""


def test_version_that_cannot_be_shown_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=2)

    def fail(project_id: int, version: str) -> None:
        raise LabelStudioError("Label Studio answered 500")

    monkeypatch.setattr(studio, "set_model_version", fail)
    with pytest.raises(LabelStudioError, match="500"):
        run(studio)
