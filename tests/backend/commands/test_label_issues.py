from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from backend.label_studio.label_issues_tab import TAB, VERSION
from backend.settings import Settings
from backend.store import Store
from backend.store.models import LabelIssue, Review
from backend.training import review
from tests.backend.commands.conftest import Command
from tests.backend.fakes import UID, FakeLabelStudio

LINK = "http://localhost:8080/projects/7/data?task=3"


@pytest.fixture
def label_issues(command: Command, met: str) -> Command:
    """Run ``python -m backend label-issues --project 7``."""
    return lambda *words, **variables: command("label-issues", "--project", "7", *words, **variables)


@pytest.fixture
def labelled(studio: FakeLabelStudio) -> FakeLabelStudio:
    studio.texts = {number: f"sushi number {number}" for number in range(1, 10)}
    studio.annotate(*studio.texts)
    return studio


def begun(store: Store) -> Review:
    begun = store.reviews.begin(UID)
    assert begun is not None
    return begun


def found(store: Store, *label_issues: LabelIssue) -> None:
    assert store.reviews.finish(begun(store).id, label_issues, tasks=1234, revision=0)


def issue(task: str = "3", score: float = 0.987, **known: Any) -> LabelIssue:
    view = {"start": 0, "end": 5, "text": "sushi", "given": "Dish", "kind": "wrong label", "view": "Cuisine 0.97"}
    seen = [{"start": 0, "end": 5, "label": "Cuisine", "score": 0.97}]
    return LabelIssue(**{"project": UID, "task": task, "score": score, "found": seen, **view, **known})


# What is said where there is nothing to list


def test_project_that_was_never_reviewed(label_issues: Command) -> None:
    said = "The labels of this project have not been reviewed yet: "
    assert said + "LABEL_ISSUES is false, so look for wrong labels with --now." in label_issues().stdout
    told = label_issues(LABEL_ISSUES="true").stdout
    assert said + "a worker does so after the next training run, --now does it here." in told


def test_project_whose_labels_are_all_right(label_issues: Command, store: Store) -> None:
    found(store)
    told = label_issues().stdout
    assert "Of 1,234 labelled tasks, reviewed 20" in told
    assert "none holds a label that is probably a mistake" in told


def test_project_that_is_being_reviewed(label_issues: Command, store: Store) -> None:
    begun(store)
    assert label_issues().stdout == "A review of the labels is going on.\n"


def test_review_that_was_interrupted(label_issues: Command, store: Store) -> None:
    store.reviews.release(begun(store).id)
    assert "was interrupted, and goes on when a worker is free." in label_issues().stdout


def test_review_that_failed(label_issues: Command, store: Store) -> None:
    store.reviews.fail(begun(store).id, "Memory ran out.")
    assert label_issues().stdout == "The latest review of the labels failed. Memory ran out.\n"


# The list


def test_each_suspect_is_a_line_with_its_link(label_issues: Command, store: Store) -> None:
    found(store, issue("4", 0.6, given=None, kind="missing"), issue())
    done = label_issues()
    heading, first, second = done.stdout.splitlines()
    assert heading.split() == ["score", "task", "mistake", "text", "given", "the", "model's", "view", "link"]
    assert first.split() == ["0.99", "3", "wrong", "label", "sushi", "Dish", "Cuisine", "0.97", LINK]
    assert second.split()[:5] == ["0.60", "4", "missing", "sushi", "–"]
    assert done.stderr == ""


def test_limit(label_issues: Command, store: Store) -> None:
    found(store, *(issue(str(task)) for task in range(30)))
    assert len(label_issues().stdout.splitlines()) == 1 + 20
    assert len(label_issues("--limit", "5").stdout.splitlines()) == 1 + 5


def test_earlier_suspects_are_listed_during_a_review(label_issues: Command, store: Store) -> None:
    found(store, issue())
    begun(store)
    done = label_issues()
    assert LINK in done.stdout
    assert done.stderr == "A review of the labels is going on; this is what the one before found.\n"


def test_json(label_issues: Command, store: Store) -> None:
    assert json.loads(label_issues("--json").stdout) == []
    found(store, issue())
    [row] = json.loads(label_issues("--json").stdout)
    assert (row["task"], row["given"], row["view"], row["url"]) == ("3", "Dish", "Cuisine 0.97", LINK)
    assert row["found"] == [{"start": 0, "end": 5, "label": "Cuisine", "score": 0.97}]
    assert row["score"] == 0.987


# Pushed, and looked for at once


def test_push_marks_all_of_them_in_label_studio(label_issues: Command, store: Store, labelled: FakeLabelStudio) -> None:
    found(store, *(issue(str(task), task / 10) for task in range(1, 10)))
    done = label_issues("--push", "--limit", "2")
    assert done.exit_code == 0, done.output
    assert labelled.predicted(VERSION) == set(range(1, 10))
    assert list(labelled.tabs) == [TAB]
    assert (
        f"9 tasks are marked in Label Studio; they are in the tab “{TAB}” of http://localhost:8080/projects/7/data."
        in (done.stderr)
    )
    assert len(done.stdout.splitlines()) == 1 + 2


def test_looking_for_them_at_once_lists_what_is_found(
    label_issues: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_review(settings: Settings, on: Store, review: Review, *, progress: Callable[[float], None]) -> None:
        progress(0.5)
        assert on.reviews.finish(review.id, [issue()], tasks=60, revision=0)

    monkeypatch.setattr("backend.training.review.run_review", run_review)
    assert LINK in label_issues("--now").stdout


def test_two_reviews_do_not_go_on_at_once(label_issues: Command, store: Store) -> None:
    begun(store)
    done = label_issues("--now")
    assert done.exit_code == 1
    assert "being reviewed already" in done.stderr


def test_review_that_is_interrupted_here_can_begin_again(
    label_issues: Command, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run_review(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("backend.training.review.run_review", run_review)
    assert label_issues("--now").exit_code == 1
    assert begun(store)


def test_too_few_labels_are_one_sentence(
    label_issues: Command, labelled: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review.run_review, "__kwdefaults__", {"label_studio": lambda *_: labelled})
    done = label_issues("--now")
    assert done.exit_code == 1
    assert "Looking for wrong labels needs 50 labelled tasks, and there are 9: label more." in done.stderr
