"""What becomes of an import that Label Studio rejects, skips, breaks off or never answers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import pytest

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioRejected, LabelStudioUnreachable
from backend.label_studio import importer
from backend.label_studio.api import Prediction
from tests.backend.fakes import FakeLabelStudio
from tests.backend.label_studio.syncing import counts, run_sync


@pytest.mark.parametrize("gone", [{1}, {4}, {2, 3}, {5, 6, 7, 8}])
def test_task_that_is_refused_costs_only_its_own_prediction(gone: set[int]) -> None:
    studio = FakeLabelStudio(tasks=9)
    studio.gone = gone
    assert counts(run_sync(studio)) == (0, 9 - len(gone), sorted(gone), True)
    assert studio.predicted("ner-v1") == set(range(1, 10)) - gone
    assert studio.twice == set()
    assert studio.shown == "ner-v1"


def test_tasks_deleted_meanwhile_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=4)
    original = studio.import_predictions

    def store(project_id: int, predictions: Sequence[Prediction]) -> int:
        if studio.texts.pop(2, None):
            studio.gone = {2}
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", store)
    assert counts(run_sync(studio)) == (0, 3, [], True)
    assert studio.imports == [4, 3]


@pytest.mark.parametrize("error", [LabelStudioUnreachable("no answer"), LabelStudioRefused("no token")])
def test_error_that_concerns_every_task_ends_the_sync_at_once(
    error: LabelStudioError, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = FakeLabelStudio(tasks=9)
    sizes: list[int] = []

    def fail(project_id: int, predictions: list[object]) -> int:
        sizes.append(len(predictions))
        raise error

    monkeypatch.setattr(studio, "import_predictions", fail)
    with pytest.raises(type(error)):
        run_sync(studio)
    assert sizes == [4]


@pytest.mark.parametrize("late", [0, 3])
def test_import_whose_answer_was_lost_is_not_sent_again(late: int, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=6)
    monkeypatch.setattr(importer, "RECOVERY_SECONDS", 10.0)
    original, list_pages = studio.import_predictions, studio.unlabelled_pages
    lost: list[Sequence[Prediction]] = []
    calls = count()

    def store(project_id: int, predictions: Sequence[Prediction]) -> int:
        if lost:
            return original(project_id, predictions)
        lost.append(predictions)
        raise LabelStudioUnreachable("the connection was cut off")

    def pages(project_id: int, **limits: Any) -> Any:
        if "last" in limits and (call := next(calls)) <= late:
            if call == 1:
                raise LabelStudioUnreachable("busy")
            if call == late:  # Label Studio has finished the import only now
                original(project_id, lost[0])
        return list_pages(project_id, **limits)

    monkeypatch.setattr(studio, "import_predictions", store)
    monkeypatch.setattr(studio, "unlabelled_pages", pages)
    assert counts(run_sync(studio)) == (0, 6, [], True)
    assert studio.imports == [4, 2]
    assert studio.twice == set()


def test_crash_of_label_studio_on_one_prediction_costs_only_that_one(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=6)
    original = studio.import_predictions

    def crash(project_id: int, predictions: Sequence[Prediction]) -> int:
        if any(prediction.task == 3 for prediction in predictions):
            raise LabelStudioError("Label Studio answered 500")
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", crash)
    assert counts(run_sync(studio)) == (0, 5, [3], True)
    assert studio.twice == set()


def test_sync_gives_up_when_everything_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "MAX_REFUSED", 3)
    studio = FakeLabelStudio(tasks=50)
    imports = count()

    def fail(project_id: int, predictions: list[object]) -> int:
        next(imports)
        raise LabelStudioRejected("Label Studio answered 400")

    monkeypatch.setattr(studio, "import_predictions", fail)
    with pytest.raises(LabelStudioRejected):
        run_sync(studio)
    assert next(imports) < 10


def test_predictions_that_label_studio_skips_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=4)
    store = studio.import_predictions
    monkeypatch.setattr(studio, "import_predictions", lambda project, sent: store(project, sent[:-1]))
    assert counts(run_sync(studio)) == (0, 3, [4], True)


def test_answer_that_counts_too_many_is_corrected(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=4)
    store = studio.import_predictions
    monkeypatch.setattr(studio, "import_predictions", lambda project, sent: store(project, sent[:-1]) + 1)
    assert run_sync(studio).refused == [4]
    assert studio.imports == [3]
