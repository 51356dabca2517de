from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from backend.label_studio.api import Prediction
from backend.label_studio.label_issues_tab import TAB, VERSION
from backend.settings import Settings
from backend.store import Store
from backend.store.models import LabelIssue, Review
from backend.training import review
from tests.backend.commands.conftest import Command
from tests.backend.fakes import UID, FakeLabelStudio

AROUND: dict[str, Any] = {"before": "we ate ", "after": " there", "annotator": "Ann"}
LINK = "http://localhost:8080/projects/7/data?task=3"


@pytest.fixture
def label_issues(command: Command, registered: str) -> Command:
    """Run ``python -m backend label-issues --project 7``."""
    return lambda *words, **variables: command("label-issues", "--project", "7", *words, **variables)


@pytest.fixture
def labelled(studio: FakeLabelStudio) -> FakeLabelStudio:
    studio.texts = {number: f"sushi number {number}" for number in range(1, 10)}
    studio.annotate(*studio.texts)
    return studio


def begin_review(store: Store) -> Review:
    review = store.reviews.begin(UID)
    assert review is not None
    return review


def finish_review(store: Store, *label_issues: LabelIssue) -> None:
    assert store.reviews.finish(begin_review(store).id, label_issues, tasks=1234, revision=0)


def issue(task: str = "3", score: float = 0.987, **columns: Any) -> LabelIssue:
    view = {"start": 0, "end": 5, "text": "sushi", "given": "Dish", "kind": "wrong label", "view": "Cuisine 0.97"}
    spans = [{"start": 0, "end": 5, "label": "Cuisine", "score": 0.97}]
    return LabelIssue(**{"project": UID, "task": task, "score": score, "found": spans, **view, **columns})


# Without issues to list


def test_project_that_was_never_reviewed(label_issues: Command) -> None:
    sentence = "The labels of this project have not been reviewed yet: "
    assert sentence + "LABEL_ISSUES is false, so search for label issues with --now." in label_issues().stdout
    output = label_issues(LABEL_ISSUES="true").stdout
    assert sentence + "a worker reviews them after the next training run; --now does it at once, here." in output


def test_project_whose_labels_are_all_right(label_issues: Command, store: Store) -> None:
    finish_review(store)
    output = label_issues().stdout
    assert "1,234 labelled tasks were reviewed on 20" in output
    assert "none has a label that is probably a mistake" in output


def test_project_that_is_being_reviewed(label_issues: Command, store: Store) -> None:
    begin_review(store)
    assert label_issues().stdout == "A review of the labels is in progress.\n"


def test_review_that_was_interrupted(label_issues: Command, store: Store) -> None:
    store.reviews.release(begin_review(store).id)
    assert "was interrupted, and continues when a worker is free." in label_issues().stdout


def test_review_that_failed(label_issues: Command, store: Store) -> None:
    store.reviews.fail(begin_review(store).id, "Memory ran out.")
    assert label_issues().stdout == "The latest review of the labels failed. Memory ran out.\n"


def test_review_with_too_few_labels_has_not_failed(label_issues: Command, store: Store) -> None:
    store.reviews.fail(begin_review(store).id, "Looking for wrong labels needs 50.", kind="too_few_labels")
    assert label_issues().stdout == "Looking for wrong labels needs 50.\n"


# The list


def test_each_issue_is_a_line_with_its_link(label_issues: Command, store: Store) -> None:
    finish_review(store, issue("4", 0.6, given=None, kind="missing"), issue(**AROUND))
    done = label_issues()
    heading, first, second = done.stdout.splitlines()
    assert " ".join(heading.split()) == "id score task mistake text given by the model's view link"
    sentence = ["we", "ate", "[sushi]", "there", "Dish", "Ann", "Cuisine", "0.97"]
    assert first.split() == [issue().key, "0.99", "3", "wrong", "label", *sentence, LINK]
    assert second.split()[1:7] == ["0.60", "4", "missing", "[sushi]", "–", "–"]
    assert done.stderr == ""


def test_accepted_label_is_listed_no_more(label_issues: Command, store: Store) -> None:
    finish_review(store, issue(), issue("4"))
    done = label_issues("--accept", issue().key)
    assert "“sushi” in task 3 is right as it is" in done.stderr
    assert LINK not in done.stdout
    assert "There is no label issue 'zzz'" in label_issues("--accept", "zzz").stderr


def test_limit(label_issues: Command, store: Store) -> None:
    finish_review(store, *(issue(str(task)) for task in range(30)))
    assert len(label_issues().stdout.splitlines()) == 1 + 20
    assert len(label_issues("--limit", "5").stdout.splitlines()) == 1 + 5


def test_earlier_issues_are_listed_during_a_review(label_issues: Command, store: Store) -> None:
    finish_review(store, issue())
    begin_review(store)
    done = label_issues()
    assert LINK in done.stdout
    assert done.stderr == "A review of the labels is in progress; these issues are from the review before.\n"


def test_json(label_issues: Command, store: Store) -> None:
    assert json.loads(label_issues("--json").stdout) == []
    finish_review(store, issue())
    [row] = json.loads(label_issues("--json").stdout)
    assert (row["task"], row["given"], row["view"], row["url"]) == ("3", "Dish", "Cuisine 0.97", LINK)
    assert row["found"] == [{"start": 0, "end": 5, "label": "Cuisine", "score": 0.97}]
    assert row["score"] == 0.987


# Pushed, and looked for at once


def test_push_marks_all_issues_in_label_studio(label_issues: Command, store: Store, labelled: FakeLabelStudio) -> None:
    finish_review(store, *(issue(str(task), task / 10) for task in range(1, 10)))
    done = label_issues("--push", "--limit", "2")
    assert done.exit_code == 0, done.output
    assert labelled.predicted(VERSION) == set(range(1, 10))
    assert list(labelled.tabs) == [TAB]
    assert (
        f"9 tasks are marked in Label Studio; they are in the tab “{TAB}” of http://localhost:8080/projects/7/data."
        in (done.stderr)
    )
    assert len(done.stdout.splitlines()) == 1 + 2


def not_reviewed(store: Store) -> None:
    """Leave the project without a review."""


def failed(store: Store) -> None:
    store.reviews.fail(begin_review(store).id, "Memory ran out.")


@pytest.mark.parametrize(
    ("prepare", "reason"),
    [
        (not_reviewed, "have not been reviewed yet: a worker reviews them after the next training run; --now does it"),
        (begin_review, "A review of the labels is in progress."),
        (failed, "The latest review of the labels failed. Memory ran out."),
    ],
)
def test_push_without_a_finished_review_changes_nothing(
    prepare: Callable[[Store], object],
    reason: str,
    label_issues: Command,
    store: Store,
    labelled: FakeLabelStudio,
) -> None:
    prediction = Prediction(1, [], 0.5, VERSION)
    labelled.stored[1, VERSION] = prediction
    prepare(store)
    done = label_issues("--push", LABEL_ISSUES="true")
    assert done.exit_code == 1
    assert reason in done.stderr
    assert "Nothing was changed in Label Studio." in done.stderr
    assert labelled.stored == {(1, VERSION): prediction}


def test_push_after_a_review_without_issues_removes_those_pushed_before(
    label_issues: Command, store: Store, labelled: FakeLabelStudio
) -> None:
    labelled.stored[1, VERSION] = Prediction(1, [], 0.5, VERSION)
    finish_review(store)
    done = label_issues("--push")
    assert done.exit_code == 0
    assert "0 tasks are marked" in done.stderr
    assert labelled.stored == {}


def test_review_at_once_lists_its_issues(label_issues: Command, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def run_review(settings: Settings, on: Store, review: Review, *, progress: Callable[[float], None]) -> None:
        progress(0.5)
        assert on.reviews.finish(review.id, [issue()], tasks=60, revision=0)

    monkeypatch.setattr("backend.training.review.run_review", run_review)
    assert LINK in label_issues("--now").stdout


def test_two_reviews_do_not_go_on_at_once(label_issues: Command, store: Store) -> None:
    begin_review(store)
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
    assert begin_review(store)


def test_too_few_labels_are_one_sentence(
    label_issues: Command, labelled: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review.run_review, "__kwdefaults__", {"label_studio": lambda *_: labelled})
    done = label_issues("--now")
    assert done.exit_code == 1
    assert "Looking for wrong labels needs 50 labelled tasks, and there are 9: label more." in done.stderr
