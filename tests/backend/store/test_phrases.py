from __future__ import annotations

import pytest

from backend.store import Store
from backend.store import phrases as module
from backend.store.phrases import MIN_SECONDS, PHRASES, REST
from backend.store.projects import UNTRAINED
from converters.phrases import Phrase
from tests.backend.fakes import UID

SUSHI, BOSTON = Phrase("sushi", "Dish", 2, 3), Phrase("Boston", "Location")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(module.time, "time", lambda: now[0])
    return now


def test_project_without_phrases_has_none(any_store: Store) -> None:
    phrases = any_store.phrases
    assert (phrases.of(UID), phrases.given(UID), phrases.number(UID), phrases.due_in(UID)) == ([], [], 0, 0.0)
    assert phrases.are_synced(UID)


def test_phrases_are_numbered_by_their_words_and_labels(any_store: Store) -> None:
    phrases = any_store.phrases
    numbers = []
    for given in ([], [SUSHI], [SUSHI._replace(marked=3)], [BOSTON, SUSHI], [SUSHI, BOSTON], [SUSHI]):
        phrases.save(UID, given, revision=1)
        numbers.append(phrases.number(UID))
        assert phrases.of(UID) == given
    assert numbers == [0, 1, 1, 2, 2, 3]


def test_phrases_are_synced_until_they_change(any_store: Store) -> None:
    phrases = any_store.phrases
    phrases.save(UID, [SUSHI], revision=1)
    assert not phrases.are_synced(UID)
    phrases.end_sync(UID, phrases.number(UID))
    assert phrases.are_synced(UID)
    phrases.save(UID, [SUSHI, BOSTON], revision=2)
    assert not phrases.are_synced(UID)


def test_labels_are_counted_once_for_each_revision_and_again_after_phrases_were_given(any_store: Store) -> None:
    phrases = any_store.phrases
    assert not phrases.begin_sync(UID, 4)
    phrases.save(UID, [SUSHI], revision=4)
    assert phrases.begin_sync(UID, 4)
    assert not phrases.begin_sync(UID, 5)
    phrases.give(UID, [BOSTON])
    assert phrases.given(UID) == [BOSTON]
    assert not phrases.begin_sync(UID, 4)
    assert phrases.of(UID) == [SUSHI]


@pytest.mark.parametrize(("took", "pause"), [(0.5, MIN_SECONDS), (60.0, REST * 60.0)])
def test_longer_sync_is_followed_by_a_longer_pause(
    took: float, pause: float, any_store: Store, clock: list[float]
) -> None:
    phrases = any_store.phrases
    phrases.begin_sync(UID, 1)
    clock[0] += took
    phrases.end_sync(UID, 1)
    assert phrases.due_in(UID) == pytest.approx(pause)
    clock[0] += pause + 0.1
    assert phrases.due_in(UID) == 0.0


def test_serving_is_the_version_else_phrases_else_nothing(any_store: Store) -> None:
    assert any_store.projects.serving(UID) == UNTRAINED
    any_store.phrases.save(UID, [SUSHI], revision=1)
    assert any_store.projects.serving(UID) == PHRASES
    any_store.phrases.save(UID, [], revision=2)
    assert any_store.projects.serving(UID) == PHRASES  # its stored predictions become empty ones
    assert any_store.projects.serving("8.1") == UNTRAINED
