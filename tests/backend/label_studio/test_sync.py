from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count, pairwise
from typing import Any

import pytest

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioRejected, LabelStudioUnreachable
from backend.inference.tagger import Tagging
from backend.label_studio import sync as module
from backend.label_studio.api import OpenTask, Prediction
from backend.label_studio.sync import SyncResult, Watch, predict, refresh
from label_config import LabelConfig
from tests.backend.fakes import LABEL_CONFIG, FakeLabelStudio, SushiTagger

CONFIG = LabelConfig.from_xml(LABEL_CONFIG)


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH", 4)
    monkeypatch.setattr(module, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.05)


def run(
    studio: FakeLabelStudio,
    version: str = "ner-v1",
    *,
    keep_going: Callable[[], bool] = lambda: True,
    tagger: Any = None,
    watch: Watch = lambda _: None,
) -> SyncResult:
    return refresh(
        studio, 7, version=version, tagger=tagger or SushiTagger(), config=CONFIG, keep_going=keep_going, watch=watch,
    )  # fmt: skip


def counts(done: SyncResult) -> tuple[int, int, list[int], bool]:
    return done.present, done.stored, done.refused, done.complete


@pytest.mark.parametrize("page", [1, 3, 4, 500])
def test_unlabelled_tasks_are_predicted_in_batches(page: int) -> None:
    studio = FakeLabelStudio(tasks=10)
    studio.page = page
    studio.annotate(3)
    done = run(studio)
    assert (done.unlabelled, *counts(done)) == (9, 0, 9, [], True)
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
    assert counts(run(studio, keep_going=lambda: next(asked) < 2)) == (0, 8, [], False)
    assert studio.shown == ""
    assert counts(run(studio)) == (8, 2, [], True)
    assert studio.imports == [4, 4, 2]
    assert studio.twice == set()
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


def test_next_batch_is_predicted_while_the_last_one_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=8)
    predicted = threading.Semaphore(0)
    original = studio.import_predictions

    class Counted(SushiTagger):
        def tag_parts(self, texts: Sequence[str]) -> Iterator[list[Tagging]]:
            predicted.release()
            return super().tag_parts(texts)

    def store(project_id: int, predictions: Sequence[Prediction]) -> int:
        assert predicted.acquire(timeout=10)
        assert studio.imports or predicted.acquire(timeout=10)  # the first import ends after the second prediction
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", store)
    predicted.release()  # for the second import
    assert run(studio, tagger=Counted()).stored == 8


def test_regions_limit_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BATCH_REGIONS", 2)
    studio = FakeLabelStudio(tasks=5)
    studio.texts[1] = "sushi sushi sushi"
    assert run(studio).stored == 5
    assert studio.imports == [1, 2, 1, 1]


@pytest.mark.parametrize("gone", [{1}, {4}, {2, 3}, {5, 6, 7, 8}])
def test_task_that_is_refused_costs_only_its_own_prediction(gone: set[int]) -> None:
    studio = FakeLabelStudio(tasks=9)
    studio.gone = gone
    assert counts(run(studio)) == (0, 9 - len(gone), sorted(gone), True)
    assert studio.predicted("ner-v1") == set(range(1, 10)) - gone
    assert studio.twice == set()
    assert studio.shown == "ner-v1"


def test_tasks_deleted_meanwhile_are_left_out_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=4)
    original = studio.import_predictions

    def store(project_id: int, predictions: Sequence[Prediction]) -> int:
        if studio.texts.pop(2, None):
            studio.gone = {2}
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", store)
    assert counts(run(studio)) == (0, 3, [], True)
    assert studio.imports == [4, 3]


def test_tasks_that_arrive_meanwhile_are_predicted_too() -> None:
    studio = FakeLabelStudio(tasks=2)

    def arrive(done: SyncResult) -> None:
        if done.stored == 2:
            studio.texts[3] = "more sushi"

    assert run(studio, watch=arrive).stored == 3
    assert studio.imports == [2, 1]


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


@pytest.mark.parametrize("late", [0, 3])
def test_import_whose_answer_was_lost_is_not_sent_again(late: int, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=6)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 10.0)
    original, listed = studio.import_predictions, studio.unlabelled_pages
    lost: list[Sequence[Prediction]] = []
    looks = count()

    def store(project_id: int, predictions: Sequence[Prediction]) -> int:
        if lost:
            return original(project_id, predictions)
        lost.append(predictions)
        raise LabelStudioUnreachable("the connection was cut off")

    def pages(project_id: int, **chosen: Any) -> Any:
        if "last" in chosen and (look := next(looks)) <= late:
            if look == 1:
                raise LabelStudioUnreachable("it is busy")
            if look == late:  # only now Label Studio is through
                original(project_id, lost[0])
        return listed(project_id, **chosen)

    monkeypatch.setattr(studio, "import_predictions", store)
    monkeypatch.setattr(studio, "unlabelled_pages", pages)
    assert counts(run(studio)) == (0, 6, [], True)
    assert studio.imports == [4, 2]
    assert studio.twice == set()


def test_crash_over_one_prediction_costs_only_that(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=6)
    original = studio.import_predictions

    def crash(project_id: int, predictions: Sequence[Prediction]) -> int:
        if any(each.task == 3 for each in predictions):
            raise LabelStudioError("Label Studio answered 500")
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", crash)
    assert counts(run(studio)) == (0, 5, [3], True)
    assert studio.twice == set()


def test_label_studio_that_refuses_everything_is_not_asked_for_each_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOPELESS", 3)
    studio = FakeLabelStudio(tasks=50)
    asked = count()

    def fail(project_id: int, predictions: list[object]) -> int:
        next(asked)
        raise LabelStudioRejected("Label Studio answered 400")

    monkeypatch.setattr(studio, "import_predictions", fail)
    with pytest.raises(LabelStudioRejected):
        run(studio)
    assert next(asked) < 10


def test_predictions_that_label_studio_skips_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=4)
    store = studio.import_predictions
    monkeypatch.setattr(studio, "import_predictions", lambda project, sent: store(project, sent[:-1]))
    assert counts(run(studio)) == (0, 3, [4], True)


def test_answer_that_promises_too_much_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=4)
    store = studio.import_predictions
    monkeypatch.setattr(studio, "import_predictions", lambda project, sent: store(project, sent[:-1]) + 1)
    assert run(studio).refused == [4]
    assert studio.imports == [3]


def test_time_is_told_by_what_it_went_to() -> None:
    seconds = run(FakeLabelStudio(tasks=9)).seconds
    assert min(seconds.reading, seconds.predicting, seconds.importing, seconds.counting) > 0
    assert seconds.total < 5


def test_watcher_is_told_how_far_it_is() -> None:
    studio = FakeLabelStudio(tasks=9)
    seen: list[tuple[int, int, int]] = []
    run(studio, watch=lambda done: seen.append((done.unlabelled, done.predicted, done.done)))
    assert seen[0] == (9, 0, 0)
    assert seen[-1] == (9, 9, 9)
    assert all(
        later >= earlier for first, second in pairwise(seen) for earlier, later in zip(first, second, strict=True)
    )


def test_project_with_every_task_labelled_keeps_its_shown_version() -> None:
    studio = FakeLabelStudio(tasks=2)
    studio.annotate(1, 2)
    assert counts(run(studio)) == (0, 0, [], True)
    assert studio.shown == ""


def test_version_without_a_stored_prediction_is_not_shown() -> None:
    studio = FakeLabelStudio(tasks=2)
    studio.gone = {1, 2}
    assert run(studio).refused == [1, 2]
    assert studio.shown == ""


def test_version_that_cannot_be_shown_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=2)

    def fail(project_id: int, version: str) -> None:
        raise LabelStudioError("Label Studio answered 500")

    monkeypatch.setattr(studio, "set_model_version", fail)
    with pytest.raises(LabelStudioError, match="500"):
        run(studio)
