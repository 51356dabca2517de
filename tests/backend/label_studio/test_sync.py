from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any

import pytest

from backend.errors import LabelStudioError, LabelStudioUnreachable, TextDelayed, TextUnavailable
from backend.inference.tagger import OfferedLabels, Tagging
from backend.label_studio import importer
from backend.label_studio.api import Prediction, UnlabelledTask
from backend.label_studio.sync import SyncResult, predict_parts
from label_config import LabelConfig
from tests.backend.fakes import LABEL_CONFIG, FakeLabelStudio, SushiTagger, WholeTextTagger
from tests.backend.label_studio.syncing import CONFIG, counts, run_sync
from tests.backend.shown_texts import SHOWN_TEXTS


@pytest.mark.parametrize("page", [1, 3, 4, 500])
def test_unlabelled_tasks_are_predicted_in_batches(page: int) -> None:
    studio = FakeLabelStudio(tasks=10)
    studio.page = page
    studio.annotate(3)
    result = run_sync(studio)
    assert (result.unlabelled, *counts(result)) == (9, 0, 9, [], True)
    assert studio.imports == [4, 4, 1]
    assert studio.predicted("ner-v1") == {1, 2, 4, 5, 6, 7, 8, 9, 10}
    assert studio.shown == "ner-v1"


def test_prediction_has_regions_score_and_version() -> None:
    data: list[dict[str, Any]] = [{"text": "some sushi"}, {}, {"text": None}]
    tasks = [UnlabelledTask(number, fields, frozenset()) for number, fields in enumerate(data, start=1)]
    [[first, *empty]] = predict_parts(tasks, version="ner-v1", tagger=SushiTagger(), config=CONFIG)
    assert (first.task, first.version, first.score) == (1, "ner-v1", 1 / 11)
    assert first.regions[0]["value"] == {"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}
    assert [(prediction.task, prediction.regions) for prediction in empty] == [(2, []), (3, [])]


TWO_TEXTS = LabelConfig.from_xml("""<View>
  <Text name="head" value="$title"/><Labels name="kinds" toName="head"><Label value="Cuisine"/></Labels>
  <Text name="body" value="$body"/><Labels name="dishes" toName="body"><Label value="Dish"/></Labels>
</View>""")


def test_task_with_several_texts_gets_one_prediction() -> None:
    data: list[dict[str, Any]] = [{"title": "sushi", "body": "a sushi"}, {"body": "sushi"}, {"title": "sushi"}, {}]
    tasks = [UnlabelledTask(number, fields, frozenset()) for number, fields in enumerate(data, start=1)]
    parts = predict_parts(tasks, version="ner-v1", tagger=SushiTagger(), config=TWO_TEXTS)
    predictions = [prediction for part in parts for prediction in part]
    assert [(prediction.task, prediction.score) for prediction in predictions] == [
        (1, 1 / 8), (2, 1 / 6), (3, 1 / 6), (4, 1.0),
    ]  # fmt: skip
    places = [
        [(region["from_name"], region["to_name"], region["value"]["start"]) for region in prediction.regions]
        for prediction in predictions
    ]
    assert places == [[("dishes", "body", 2)], [("dishes", "body", 0)], [], []]


@pytest.mark.parametrize(("value", "data", "shown"), SHOWN_TEXTS.values(), ids=SHOWN_TEXTS.keys())
def test_offsets_count_in_the_text_that_the_editor_shows(value: str, data: dict[str, Any], shown: str) -> None:
    config = LabelConfig.of_one_text(["Dish"], value=value)
    task = UnlabelledTask(1, data, frozenset())
    [[prediction]] = predict_parts([task], version="ner-v1", tagger=WholeTextTagger(), config=config)
    [region] = prediction.regions
    assert region["value"] == {"start": 0, "end": len(shown), "text": shown, "labels": ["Dish"]}


URL_TEXT = LabelConfig.from_xml(LABEL_CONFIG.replace('value="$text"', 'value="$text" valueType="url"'))


def test_text_at_an_address_that_cannot_be_read_is_an_empty_prediction(caplog: pytest.LogCaptureFixture) -> None:
    def load(url: str) -> str:
        if url == "/gone":
            raise TextUnavailable("Label Studio answered 404.")
        return f"{url} sushi"

    studio = FakeLabelStudio(tasks=2)
    studio.texts = {1: "/gone", 2: "/a"}
    with caplog.at_level(logging.WARNING, "backend.label_studio.sync"):
        assert run_sync(studio, config=URL_TEXT, load=load).stored == 2
    gone, read = (studio.stored[task, "ner-v1"] for task in (1, 2))
    assert (gone.regions, gone.score) == ([], 1.0)
    assert [region["value"]["start"] for region in read.regions] == [3]
    assert [record.getMessage() for record in caplog.records] == [
        "project 7: 1 unlabelled task got an empty prediction of ner-v1, because the text cannot be read. Task 1: "
        "Label Studio answered 404."
    ]


@pytest.mark.parametrize("page", [1, 500])
def test_text_that_may_arrive_later_gets_its_prediction_from_a_later_sync(page: int) -> None:
    late = {"/2", "/3"}

    def load(url: str) -> str:
        if url in late:
            raise TextDelayed(f"The text at {url} did not arrive.")
        return f"{url} sushi"

    studio = FakeLabelStudio(tasks=9)
    studio.page = page
    studio.texts = {number: f"/{number}" for number in range(1, 10)}
    result = run_sync(studio, config=URL_TEXT, load=load)
    assert (result.unlabelled, *counts(result), result.done) == (9, 0, 7, [], True, 9)
    assert (result.unread.empty, result.unread.delayed) == (0, 2)
    assert result.unread.sentences == [
        "2 unlabelled tasks got no prediction of ner-v1, because the text did not arrive. Task 2: The text at /2 did "
        "not arrive. The next sync tries again; `python -m backend preannotate` starts one."
    ]
    assert studio.predicted("ner-v1") == set(range(1, 10)) - {2, 3}
    late.clear()
    result = run_sync(studio, config=URL_TEXT, load=load)
    assert (counts(result), result.unread.sentences) == ((7, 2, [], True), [])
    assert len(studio.stored[2, "ner-v1"].regions) == 1


def test_label_studio_that_does_not_answer_for_texts_ends_the_sync() -> None:
    def load(url: str) -> str:
        raise LabelStudioUnreachable("Label Studio does not answer.")

    studio = FakeLabelStudio(tasks=2)
    with pytest.raises(LabelStudioUnreachable):
        run_sync(studio, config=URL_TEXT, load=load)
    assert studio.stored == {}


def test_sync_continues_where_it_stopped() -> None:
    studio = FakeLabelStudio(tasks=10)
    checks = count()
    assert counts(run_sync(studio, keep_going=lambda: next(checks) < 2)) == (0, 8, [], False)
    assert studio.shown == ""
    assert counts(run_sync(studio)) == (8, 2, [], True)
    assert studio.imports == [4, 4, 2]
    assert studio.twice == set()
    assert studio.shown == "ner-v1"


def test_newer_version_predicts_every_task_again() -> None:
    studio = FakeLabelStudio(tasks=3)
    run_sync(studio, "ner-v1")
    run_sync(studio, "ner-v2")
    assert studio.predicted("ner-v2") == {1, 2, 3}
    assert studio.shown == "ner-v2"


def test_version_is_not_shown_once_another_was_promoted() -> None:
    studio = FakeLabelStudio(tasks=4)
    checks = count()
    run_sync(studio, keep_going=lambda: next(checks) < 1)
    assert studio.predicted("ner-v1") == {1, 2, 3, 4}
    assert studio.shown == ""


def test_next_batch_is_predicted_while_the_last_one_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=8)
    predicted = threading.Semaphore(0)
    original = studio.import_predictions

    class Counted(SushiTagger):
        def tag_parts(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> Iterator[list[Tagging]]:
            predicted.release()
            return super().tag_parts(texts, labels)

    def store(project_id: int, predictions: Sequence[Prediction]) -> int:
        assert predicted.acquire(timeout=10)
        assert studio.imports or predicted.acquire(timeout=10)  # the first import ends after the second prediction
        return original(project_id, predictions)

    monkeypatch.setattr(studio, "import_predictions", store)
    predicted.release()  # for the second import
    assert run_sync(studio, tagger=Counted()).stored == 8


def test_regions_limit_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importer, "BATCH_REGIONS", 2)
    studio = FakeLabelStudio(tasks=5)
    studio.texts[1] = "sushi sushi sushi"
    assert run_sync(studio).stored == 5
    assert studio.imports == [1, 2, 1, 1]


def test_tasks_that_arrive_meanwhile_are_predicted_too() -> None:
    studio = FakeLabelStudio(tasks=2)

    def arrive(result: SyncResult) -> None:
        if result.stored == 2:
            studio.texts[3] = "more sushi"

    assert run_sync(studio, on_progress=arrive).stored == 3
    assert studio.imports == [2, 1]


def test_time_is_reported_by_activity() -> None:
    seconds = run_sync(FakeLabelStudio(tasks=9)).seconds
    assert min(seconds.reading, seconds.predicting, seconds.importing, seconds.counting) > 0
    assert seconds.total < 5


def test_progress_is_reported_and_never_goes_back() -> None:
    studio = FakeLabelStudio(tasks=9)
    reports: list[tuple[int, int, int]] = []
    run_sync(studio, on_progress=lambda result: reports.append((result.unlabelled, result.predicted, result.done)))
    assert reports[0] == (9, 0, 0)
    assert reports[-1] == (9, 9, 9)
    assert all(
        later >= earlier for first, second in pairwise(reports) for earlier, later in zip(first, second, strict=True)
    )


def test_project_with_every_task_labelled_keeps_its_shown_version() -> None:
    studio = FakeLabelStudio(tasks=2)
    studio.annotate(1, 2)
    assert counts(run_sync(studio)) == (0, 0, [], True)
    assert studio.shown == ""


def test_version_without_a_stored_prediction_is_not_shown() -> None:
    studio = FakeLabelStudio(tasks=2)
    studio.gone = {1, 2}
    assert run_sync(studio).refused == [1, 2]
    assert studio.shown == ""


def test_version_that_cannot_be_shown_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    studio = FakeLabelStudio(tasks=2)

    def fail(project_id: int, version: str) -> None:
        raise LabelStudioError("Label Studio answered 500")

    monkeypatch.setattr(studio, "set_model_version", fail)
    with pytest.raises(LabelStudioError, match="500"):
        run_sync(studio)
