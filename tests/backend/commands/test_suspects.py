from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from backend.push import TAB, VERSION
from backend.settings import Settings
from backend.store import Store
from backend.tables import Review, Suspect
from backend.training import review
from tests.backend.commands.conftest import Command
from tests.backend.fakes import UID, FakeLabelStudio

LINK = "http://localhost:8080/projects/7/data?task=3"


@pytest.fixture
def suspects(command: Command, met: str) -> Command:
    """Run ``python -m backend suspects --project 7``."""
    return lambda *words, **variables: command("suspects", "--project", "7", *words, **variables)


@pytest.fixture
def labelled(studio: FakeLabelStudio) -> FakeLabelStudio:
    studio.texts = {number: f"sushi number {number}" for number in range(1, 10)}
    studio.annotate(*studio.texts)
    return studio


def begun(store: Store) -> Review:
    begun = store.reviews.begin(UID)
    assert begun is not None
    return begun


def found(store: Store, *suspects: Suspect) -> None:
    assert store.reviews.finish(begun(store).id, suspects, tasks=1234, revision=0)


def suspect(task: str = "3", score: float = 0.987, **known: Any) -> Suspect:
    view = {"start": 0, "end": 5, "text": "sushi", "given": "Dish", "kind": "wrong label", "view": "Cuisine 0.97"}
    seen = [{"start": 0, "end": 5, "label": "Cuisine", "score": 0.97}]
    return Suspect(**{"project": UID, "task": task, "score": score, "found": seen, **view, **known})


# What is said where there is nothing to list


def test_project_that_was_never_reviewed(suspects: Command) -> None:
    said = "The labels of this project have not been reviewed yet: "
    assert said + "SUSPECTS is false, so look for wrong labels with --now." in suspects().stdout
    told = suspects(SUSPECTS="true").stdout
    assert said + "a worker does so after the next training run, --now does it here." in told


def test_project_whose_labels_are_all_right(suspects: Command, store: Store) -> None:
    found(store)
    told = suspects().stdout
    assert "Of 1,234 labelled tasks, reviewed 20" in told
    assert "none holds a label that is probably a mistake" in told


def test_project_that_is_being_reviewed(suspects: Command, store: Store) -> None:
    begun(store)
    assert suspects().stdout == "A review of the labels is going on.\n"


def test_review_that_was_interrupted(suspects: Command, store: Store) -> None:
    store.reviews.release(begun(store).id)
    assert "was interrupted, and goes on when a worker is free." in suspects().stdout


def test_review_that_failed(suspects: Command, store: Store) -> None:
    store.reviews.fail(begun(store).id, "Memory ran out.")
    assert suspects().stdout == "The latest review of the labels failed. Memory ran out.\n"


# The list


def test_each_suspect_is_a_line_with_its_link(suspects: Command, store: Store) -> None:
    found(store, suspect("4", 0.6, given=None, kind="missing"), suspect())
    done = suspects()
    heading, first, second = done.stdout.splitlines()
    assert heading.split() == ["score", "task", "mistake", "text", "given", "the", "model's", "view", "link"]
    assert first.split() == ["0.99", "3", "wrong", "label", "sushi", "Dish", "Cuisine", "0.97", LINK]
    assert second.split()[:5] == ["0.60", "4", "missing", "sushi", "–"]
    assert done.stderr == ""


def test_limit(suspects: Command, store: Store) -> None:
    found(store, *(suspect(str(task)) for task in range(30)))
    assert len(suspects().stdout.splitlines()) == 1 + 20
    assert len(suspects("--limit", "5").stdout.splitlines()) == 1 + 5


def test_earlier_suspects_are_listed_during_a_review(suspects: Command, store: Store) -> None:
    found(store, suspect())
    begun(store)
    done = suspects()
    assert LINK in done.stdout
    assert done.stderr == "A review of the labels is going on; this is what the one before found.\n"


def test_json(suspects: Command, store: Store) -> None:
    assert json.loads(suspects("--json").stdout) == []
    found(store, suspect())
    [row] = json.loads(suspects("--json").stdout)
    assert (row["task"], row["given"], row["view"], row["url"]) == ("3", "Dish", "Cuisine 0.97", LINK)
    assert row["found"] == [{"start": 0, "end": 5, "label": "Cuisine", "score": 0.97}]
    assert row["score"] == 0.987


# Pushed, and looked for at once


def test_push_marks_all_of_them_in_label_studio(suspects: Command, store: Store, labelled: FakeLabelStudio) -> None:
    found(store, *(suspect(str(task), task / 10) for task in range(1, 10)))
    done = suspects("--push", "--limit", "2")
    assert done.exit_code == 0, done.output
    assert labelled.predicted(VERSION) == set(range(1, 10))
    assert list(labelled.tabs) == [TAB]
    assert (
        f"9 tasks are marked in Label Studio; they are in the tab “{TAB}” of http://localhost:8080/projects/7/data."
        in (done.stderr)
    )
    assert len(done.stdout.splitlines()) == 1 + 2


def test_looking_for_them_at_once_lists_what_is_found(
    suspects: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def carry_out(settings: Settings, on: Store, review: Review, *, progress: Callable[[float], None]) -> None:
        progress(0.5)
        assert on.reviews.finish(review.id, [suspect()], tasks=60, revision=0)

    monkeypatch.setattr("backend.training.review.carry_out", carry_out)
    assert LINK in suspects("--now").stdout


def test_two_reviews_do_not_go_on_at_once(suspects: Command, store: Store) -> None:
    begun(store)
    done = suspects("--now")
    assert done.exit_code == 1
    assert "being reviewed already" in done.stderr


def test_review_that_is_interrupted_here_can_begin_again(
    suspects: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def carry_out(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("backend.training.review.carry_out", carry_out)
    assert suspects("--now").exit_code == 1
    assert begun(store)


def test_too_few_labels_are_one_sentence(
    suspects: Command, labelled: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review.carry_out, "__kwdefaults__", {"label_studio": lambda *_: labelled})
    done = suspects("--now")
    assert done.exit_code == 1
    assert "Looking for wrong labels needs 50 labelled tasks, and there are 9: label more." in done.stderr
