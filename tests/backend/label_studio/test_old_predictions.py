from __future__ import annotations

from collections.abc import Callable
from itertools import count

import pytest

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable, ProjectReplaced
from backend.label_studio import old_predictions as module
from backend.label_studio.api import Prediction, RemoteBackend
from backend.label_studio.old_predictions import delete_old_predictions, outdated_versions
from backend.loop import Loop
from backend.registry import UNTRAINED
from backend.store import Store
from backend.store.models import Version
from tests.backend.fakes import LABEL_CONFIG, UID, FakeLabelStudio

Publish = Callable[..., Version]

TASKS = 7


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", 4)


def studio_with(*versions: str, shown: str = "") -> FakeLabelStudio:
    studio = FakeLabelStudio(tasks=TASKS)
    studio.page = 2
    for version in versions:
        studio.import_predictions(7, [Prediction(task, [], 0.5, version) for task in studio.texts])
    studio.shown = shown
    return studio


def delete(store: Store, studio: FakeLabelStudio, keep_going: Callable[[], bool] = lambda: True) -> bool:
    return delete_old_predictions(store, studio, UID, keep_going=keep_going)


def versions(studio: FakeLabelStudio) -> dict[str, int]:
    return studio.count_by_version(7)


# Which


def test_those_of_the_current_version_and_of_pinned_ones_stay(store: Store, publish: Publish, loop: Loop) -> None:
    for number in (1, 2, 3, 4):
        publish(f"ner-v{number}")
    publish("ner-v5", current=False)
    loop.pin(UID, "ner-v2", True)
    studio = studio_with(UNTRAINED, "ner-v1", "ner-v2", "ner-v3", "ner-v4", "ner-v5", shown="ner-v4")
    assert delete(store, studio)
    assert versions(studio) == {"ner-v2": TASKS, "ner-v4": TASKS}
    assert studio.shown == "ner-v4"


def test_those_of_pruned_versions_go_too(store: Store, publish: Publish, loop: Loop) -> None:
    publish("ner-v1")
    publish("ner-v2")
    loop.delete_version(UID, "ner-v1")
    studio = studio_with("ner-v1", "ner-v2", shown="ner-v2")
    assert delete(store, studio)
    assert versions(studio) == {"ner-v2": TASKS}


def test_other_names_stay(store: Store, publish: Publish) -> None:
    publish("ner-v1")
    publish("ner-v2")
    others = ("bert-1", "ner-v9", "ner-v10", "")
    studio = studio_with("ner-v1", "ner-v2", *others, shown="ner-v2")
    assert delete(store, studio)
    assert set(versions(studio)) == {"ner-v2", *others}


def test_tasks_with_label_issues_keep_theirs(store: Store, publish: Publish) -> None:
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with(UNTRAINED, "ner-v1", "ner-v2", shown="ner-v2")
    studio.import_predictions(7, [Prediction(task, [], 0.5, "label_issues") for task in (2, 3)])
    assert delete(store, studio)
    assert versions(studio) == {UNTRAINED: 2, "ner-v1": 2, "ner-v2": TASKS, "label_issues": 2}
    assert studio.predicted("ner-v1") == {2, 3}


def test_nothing_goes_before_the_first_version(store: Store) -> None:
    store.projects.save(UID, label_config=LABEL_CONFIG)
    studio = studio_with(UNTRAINED)
    assert outdated_versions(store, UID) == []
    assert delete(store, studio)
    assert versions(studio) == {UNTRAINED: TASKS}


def test_those_that_label_studio_shows_stay(store: Store, publish: Publish) -> None:
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with("ner-v1", "ner-v2", shown="ner-v1")
    assert delete(store, studio)
    assert set(versions(studio)) == {"ner-v1", "ner-v2"}
    assert studio.shown == "ner-v1"


@pytest.mark.parametrize("shown", ["BERT", ""])
def test_project_that_shows_no_version_of_ours_goes_on_showing_the_same(
    shown: str, store: Store, publish: Publish
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with("ner-v1", "ner-v2", shown=shown)
    studio.ml_backends.append(RemoteBackend(2, "http://bert", "BERT", "", "bert-1", "NONE", "", None))
    assert delete(store, studio)
    assert versions(studio) == {"ner-v2": TASKS}
    assert studio.shown == shown


def test_predictions_of_another_project_with_this_number_stay(store: Store, publish: Publish) -> None:
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with("ner-v1", "ner-v2")
    studio.uid = "7.1999999999"
    with pytest.raises(ProjectReplaced):
        delete(store, studio)
    assert set(versions(studio)) == {"ner-v1", "ner-v2"}


# How


def test_many_go_one_at_a_time_and_the_rest_at_once(store: Store, publish: Publish) -> None:
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with("ner-v1", "ner-v2", shown="ner-v2")
    assert delete(store, studio)
    assert [type(deletion) for deletion in studio.deletions] == [int] * 4 + [str]


def test_few_go_at_once(store: Store, publish: Publish, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "AT_ONCE", TASKS)
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with(UNTRAINED, "ner-v1", "ner-v2", shown="ner-v2")
    assert delete(store, studio)
    assert studio.deletions == [UNTRAINED, "ner-v1"]


@pytest.mark.parametrize("reason", ["answered 405: not allowed", "answered 500: database is locked"])
def test_label_studio_that_cannot_delete_a_version_deletes_one_at_a_time(
    reason: str, store: Store, publish: Publish
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with("ner-v1", "ner-v2", shown="ner-v2")
    studio.refused["delete_predictions"] = LabelStudioError(f"Label Studio {reason}")
    assert delete(store, studio)
    assert versions(studio) == {"ner-v2": TASKS}


@pytest.mark.parametrize("error", [LabelStudioRefused, LabelStudioUnreachable])
def test_label_studio_that_is_away_is_not_asked_again(
    error: type[LabelStudioError], store: Store, publish: Publish
) -> None:
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with("ner-v1", "ner-v2", shown="ner-v2")
    studio.refused["delete_predictions"] = error("Label Studio does not answer.")
    with pytest.raises(error):
        delete(store, studio)
    assert versions(studio) == {"ner-v1": 3, "ner-v2": TASKS}


@pytest.mark.parametrize("requests", range(10))
def test_stopped_deletion_goes_on_where_it_stopped(requests: int, store: Store, publish: Publish) -> None:
    for number in (1, 2, 3):
        publish(f"ner-v{number}")
    studio = studio_with("ner-v1", "ner-v2", "ner-v3", shown="ner-v3")
    calls = count()
    assert not delete(store, studio, lambda: next(calls) < requests)
    assert len(studio.deletions) == requests
    assert delete(store, studio)
    assert versions(studio) == {"ner-v3": TASKS}
    assert len({*studio.deletions}) == len(studio.deletions)


def test_version_that_is_pinned_meanwhile_keeps_what_it_has(store: Store, publish: Publish, loop: Loop) -> None:
    publish("ner-v1")
    publish("ner-v2")
    studio = studio_with("ner-v1", "ner-v2", shown="ner-v2")

    def keep_going() -> bool:
        loop.pin(UID, "ner-v1", True)
        return True

    assert delete(store, studio, keep_going)
    assert versions(studio) == {"ner-v1": TASKS - 2, "ner-v2": TASKS}
