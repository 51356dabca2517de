"""Phrases from the first label to the first version: counted, suggested, stored, rewritten, removed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.errors import LabelStudioUnreachable
from backend.inference.tasks import read_texts
from backend.loop import Loop
from backend.registry import UNTRAINED
from backend.store import Store
from backend.store import phrases as module
from backend.store.models import Version
from backend.store.phrases import MIN_SECONDS, PHRASES
from backend.worker import Worker
from converters.phrases import Phrase
from label_config import LabelConfig
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio, FakeQueue

TEXTS = {1: "sushi bar", 2: "ramen here", 3: "more sushi", 4: "a ramen bar", 5: "nothing"}
"""The first five characters of a labelled task are a dish."""


@pytest.fixture(autouse=True)
def clock(store: Store, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    store.projects.save(UID, title="Restaurants", label_config=LABEL_CONFIG)
    now = [1000.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    return now


@pytest.fixture
def studio() -> FakeLabelStudio:
    studio = FakeLabelStudio()
    studio.texts = dict(TEXTS)
    return studio


@pytest.fixture
def worker(loop: Loop, studio: FakeLabelStudio) -> Worker:
    return Worker(loop, lambda settings, project: studio)


@pytest.fixture
def label(loop: Loop, studio: FakeLabelStudio, worker: Worker, clock: list[float]) -> Callable[..., None]:
    """Label tasks, and let a worker sync as soon as it may."""

    def label(*tasks: int) -> None:
        studio.annotate(*tasks)
        loop.annotations_saved(UID, {1000 + task: task for task in tasks})
        clock[0] += MIN_SECONDS + 1
        worker.sync_predictions(UID)

    return label


def regions(studio: FakeLabelStudio) -> dict[int, list[str]]:
    """The words of the regions that Label Studio has of phrases, by task."""
    stored = sorted((task, prediction) for (task, name), prediction in studio.stored.items() if name == PHRASES)
    return {task: [region["value"]["text"] for region in prediction.regions] for task, prediction in stored}


def answers(loop: Loop, text: str) -> tuple[str, list[str]]:
    """What a request for one task gets: the version, and the words of the regions."""
    texts = read_texts([{"data": {"text": text}}], LabelConfig.from_xml(LABEL_CONFIG))
    version, parts = loop.predict_tasks(UID, texts)
    return version, [region["value"]["text"] for part in parts for task in part for region in task.regions]


def test_first_label_is_suggested_where_its_words_occur_again(
    loop: Loop, store: Store, studio: FakeLabelStudio, label: Callable[..., None]
) -> None:
    assert answers(loop, "sushi please") == (UNTRAINED, [])
    label(1)
    assert regions(studio) == {2: [], 3: ["sushi"], 4: [], 5: []}
    assert studio.shown == PHRASES
    assert {prediction.score for prediction in studio.stored.values()} == {0.0}
    assert answers(loop, "sushi please") == (PHRASES, ["sushi"])
    assert store.syncs.pending(UID) is None


def test_label_that_brings_phrases_rewrites_only_the_predictions_that_change(
    studio: FakeLabelStudio, label: Callable[..., None]
) -> None:
    label(1)
    studio.page = 2
    label(2)
    assert regions(studio)[4] == ["ramen"]
    assert studio.replaced == [4]
    assert studio.twice == set()


def test_label_that_brings_no_phrase_rewrites_nothing(
    studio: FakeLabelStudio, label: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    label(1)
    monkeypatch.setattr(studio, "stored_predictions", None)
    studio.texts[6] = "sushi again"
    label(6)
    assert studio.replaced == []


def test_phrase_that_is_not_marked_any_more_is_not_suggested_any_more(
    loop: Loop, studio: FakeLabelStudio, worker: Worker, label: Callable[..., None], clock: list[float]
) -> None:
    label(1)
    studio.owners.clear()
    loop.annotations_deleted(UID, [1001])
    clock[0] += MIN_SECONDS + 1
    worker.sync_predictions(UID)
    assert regions(studio) == {1: [], 2: [], 3: [], 4: [], 5: []}
    assert answers(loop, "sushi please") == (PHRASES, [])


def test_new_tasks_get_predictions(loop: Loop, studio: FakeLabelStudio, worker: Worker, label: Callable[..., None],
                                   clock: list[float]) -> None:  # fmt: skip
    label(1)
    studio.texts[6] = "sushi again"
    loop.tasks_created(UID, labelled=[], unlabelled=[6])
    clock[0] += MIN_SECONDS + 1
    worker.sync_predictions(UID)
    assert regions(studio)[6] == ["sushi"]


def test_many_labels_wake_one_worker_once(loop: Loop, queue: FakeQueue) -> None:
    for task in range(1, 4):
        loop.annotations_saved(UID, {1000 + task: task})
    assert (queue.syncs, queue.later) == ([UID], [])


def test_label_soon_after_a_sync_waits(
    loop: Loop, store: Store, studio: FakeLabelStudio, worker: Worker, queue: FakeQueue, label: Callable[..., None],
    clock: list[float],
) -> None:  # fmt: skip
    label(1)
    studio.annotate(2)
    loop.annotations_saved(UID, {1002: 2})
    assert queue.later == [MIN_SECONDS]
    worker.sync_predictions(UID)
    assert (regions(studio)[4], queue.later) == ([], [MIN_SECONDS])
    assert store.syncs.pending(UID) is not None
    clock[0] += MIN_SECONDS + 1
    worker.sync_predictions(UID)
    assert regions(studio)[4] == ["ramen"]


def test_label_that_arrives_during_a_sync_gets_one_of_its_own(
    loop: Loop, studio: FakeLabelStudio, worker: Worker, queue: FakeQueue, label: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    show = studio.set_model_version

    def set_model_version(project_id: int, version: str) -> None:
        loop.annotations_saved(UID, {1002: 2})
        show(project_id, version)

    monkeypatch.setattr(studio, "set_model_version", set_model_version)
    label(1)
    assert queue.later == [MIN_SECONDS]


def test_given_phrases_are_suggested_before_the_first_label(
    loop: Loop, studio: FakeLabelStudio, worker: Worker, label: Callable[..., None]
) -> None:
    loop.give_phrases(UID, [Phrase("ramen", "Dish"), Phrase("bar", "Location")])
    worker.sync_predictions(UID)
    assert regions(studio) == {1: ["bar"], 2: ["ramen"], 3: [], 4: ["ramen", "bar"], 5: []}
    label(1)
    assert regions(studio)[3] == ["sushi"]
    assert answers(loop, "a ramen or sushi bar") == (PHRASES, ["ramen", "sushi", "bar"])


def test_phrases_give_way_to_the_first_version(
    loop: Loop, studio: FakeLabelStudio, worker: Worker, label: Callable[..., None],
    publish: Callable[..., Version], fake_models: list[str],
) -> None:  # fmt: skip
    label(1)
    publish("ner-v1")
    worker.sync_predictions(UID)
    assert {name for _, name in studio.stored} == {"ner-v1"}
    assert studio.shown == "ner-v1"
    assert answers(loop, "sushi please") == ("ner-v1", ["sushi"])


def test_labels_after_the_first_version_count_no_phrases(
    loop: Loop, store: Store, queue: FakeQueue, publish: Callable[..., Version]
) -> None:
    publish("ner-v1")
    requested = store.projects.get(UID).sync_requested
    loop.annotations_saved(UID, {1001: 1})
    assert (store.projects.get(UID).sync_requested, queue.syncs) == (requested, [])


def test_version_that_is_promoted_during_a_rewrite_stops_it(
    loop: Loop, store: Store, studio: FakeLabelStudio, label: Callable[..., None], publish: Callable[..., Version],
    monkeypatch: pytest.MonkeyPatch, fake_models: list[str],
) -> None:  # fmt: skip
    label(1)
    rewritten = studio.stored_predictions

    def stored_predictions(project_id: int, version: str) -> object:
        publish("ner-v1")
        return rewritten(project_id, version)

    monkeypatch.setattr(studio, "stored_predictions", stored_predictions)
    label(2)
    assert studio.replaced == []
    assert studio.shown == "ner-v1"


def test_label_studio_that_is_away_leaves_the_request(
    loop: Loop, store: Store, studio: FakeLabelStudio, worker: Worker
) -> None:
    studio.annotate(1)
    loop.annotations_saved(UID, {1001: 1})
    studio.down = LabelStudioUnreachable("Label Studio does not answer.")
    worker.sync_predictions(UID)
    assert store.syncs.pending(UID) is not None
    studio.down = None
    worker.sync_predictions(UID)
    assert regions(studio)[3] == ["sushi"]


def test_configuration_that_is_not_supported_has_no_phrases(
    loop: Loop, store: Store, studio: FakeLabelStudio, worker: Worker
) -> None:
    studio.label_config = "<View><Image name='image' value='$image'/></View>"
    loop.annotations_saved(UID, {1001: 1})
    worker.sync_predictions(UID)
    assert (studio.stored, store.syncs.pending(UID)) == ({}, None)


def test_sync_of_phrases_looks_for_no_old_predictions(
    studio: FakeLabelStudio, label: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []

    def count_by_version(project_id: int) -> dict[str, int]:
        counted.append(project_id)
        return {}

    monkeypatch.setattr(studio, "count_by_version", count_by_version)
    label(1)
    assert counted == []
