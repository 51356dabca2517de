"""One review from its row to its end; its process, and who starts it, are in ``tests/backend/test_worker.py``."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.errors import LabelStudioUnreachable, NotEnoughLabels, OutOfMemory, ProjectReplaced, RunCancelled
from backend.inference.decode import Floats
from backend.settings import Settings
from backend.store import Store, lease
from backend.store.models import Review
from backend.training import review as module
from backend.training.review import run_review
from converters.bio import tag_set
from converters.tagged import TaggedDocument
from tests.backend.fakes import LABEL_CONFIG, LABELS, UID, FakeLabelStudio

TAGS = tag_set(LABELS)


@pytest.fixture
def studio() -> FakeLabelStudio:
    """Sixty tasks, each “sushi number N” with the dish marked."""
    studio = FakeLabelStudio(tasks=60)
    studio.annotate(*range(1, 61))
    return studio


@pytest.fixture
def review(store: Store) -> Review:
    store.projects.save(UID, label_config=LABEL_CONFIG)
    begun = store.reviews.begin(UID)
    assert begun is not None
    return begun


Checked = Callable[[Sequence[TaggedDocument]], None]


@pytest.fixture
def cross_validated(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Cross-validation without training: models that take the dishes of some tasks for cuisines."""

    def use(*doubted: str, during: Checked = lambda _: None) -> None:
        def cross_validate(
            documents: Sequence[TaggedDocument],
            *,
            labels: Sequence[str],
            recipe: object,
            progress: Callable[[float], None],
        ) -> list[Floats]:
            progress(0.5)
            during(documents)
            return [_emissions(document, document.id in doubted) for document in documents]

        monkeypatch.setattr("backend.training.cross_validation.cross_validate", cross_validate)

    return use


def _emissions(document: TaggedDocument, doubted: bool) -> Floats:
    predicted = [tag.replace("Dish", "Cuisine") if doubted else tag for tag in document.tags]
    scores = np.full((len(predicted), len(TAGS)), 0.01, dtype=np.float32)
    scores[np.arange(len(predicted)), [TAGS.index(tag) for tag in predicted]] = 0.94
    return np.log(scores)


def reviewed(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, progress: Any = lambda _: None
) -> int:
    return run_review(settings, store, review, progress=progress, label_studio=lambda *_: studio)


def row(store: Store) -> Review:
    review = store.reviews.get(UID)
    assert review is not None
    return review


def test_label_issues_are_stored_with_the_models_view(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None]
) -> None:
    cross_validated("7", "9")
    assert reviewed(settings, store, review, studio) == 2
    seventh, ninth = store.reviews.label_issues(UID)
    assert (seventh.task, ninth.task) == ("7", "9")
    assert (seventh.start, seventh.end, seventh.text, seventh.given) == (0, 5, "sushi", "Dish")
    assert (seventh.kind, seventh.view) == ("wrong label", "Cuisine 0.95")
    [predicted] = seventh.found
    assert (predicted["start"], predicted["end"], predicted["label"]) == (0, 5, "Cuisine")
    assert 0.97 < seventh.score < 1.0
    assert row(store).tasks == 60
    assert row(store).ended_at is not None


def test_label_issue_has_the_text_around_it_and_who_labelled_the_task(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None]
) -> None:
    studio.authors, studio.names = {7: 1, 9: 2}, {1: "Ann Lee"}
    studio.texts[9] = "sushi " + "word " * 30 + "\nand another line"
    cross_validated("7", "9", "11")
    reviewed(settings, store, review, studio)
    issues = {issue.task: issue for issue in store.reviews.label_issues(UID)}
    assert (issues["7"].before, issues["7"].after) == ("", " number 7")
    assert issues["9"].after == " " + "word " * 22 + "word …"
    assert [issues[task].annotator for task in ("7", "9", "11")] == ["Ann Lee", "user 2", ""]


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("we ate MARK there", "we ate ", " there"),
        ("MARK", "", ""),
        ("one line\nwe ate MARK there\nthird", "we ate ", " there"),
        ("long " * 30 + "MARK" + " long" * 30, "… " + "long " * 23, " long" * 23 + " …"),
        ("x" * 200 + "MARK", "… " + "x" * 120, ""),
    ],
)
def test_text_around_is_cut_between_words(text: str, before: str, after: str) -> None:
    start = text.index("MARK")
    assert module._context(text, start, start + 4) == (before, after)


def test_progress_is_passed_on_and_the_lease_is_renewed(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    fractions: list[float] = []
    renewals: list[float] = []

    def watch(_: object) -> None:
        until = time.monotonic() + 10
        while len(set(renewals)) < 3 and time.monotonic() < until:
            renewals.append(store.leases.renewed_at("review", UID) or 0.0)

    cross_validated(during=watch)
    reviewed(settings, store, review, studio, progress=fractions.append)
    assert fractions == [0.5]
    assert row(store).progress == 0.5
    assert renewals == sorted(renewals)
    assert len(set(renewals)) == 3


def test_review_that_another_process_has_does_not_start(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None]
) -> None:
    store.reviews.release(review.id)
    taken = store.reviews.begin(UID)
    assert taken is not None
    cross_validated("7", during=lambda _: pytest.fail("it went on"))
    with pytest.raises(RunCancelled, match="Another process"):
        reviewed(settings, store, review, studio)
    assert (row(store).id, row(store).ended_at, store.reviews.count(UID)) == (taken.id, None, 0)


def test_review_that_another_process_takes_over_ends_and_writes_nothing(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None]
) -> None:
    def take_over(_: object) -> None:
        store.reviews.release(review.id)
        assert store.reviews.begin(UID) is not None

    cross_validated("7", during=take_over)
    with pytest.raises(RunCancelled, match="another process"):
        reviewed(settings, store, review, studio)
    assert (row(store).ended_at, store.reviews.count(UID)) == (None, 0)


def test_review_whose_lease_is_lost_ends_at_its_next_progress(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cross_validate(*_: object, progress: Callable[[float], None], **__: object) -> None:
        store.reviews.release(review.id)
        assert store.reviews.begin(UID) is not None
        until = time.monotonic() + 10
        while time.monotonic() < until:
            progress(0.5)
        pytest.fail("it went on")

    monkeypatch.setattr(lease, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr("backend.training.cross_validation.cross_validate", cross_validate)
    with pytest.raises(RunCancelled, match="taken the review over"):
        reviewed(settings, store, review, studio)


def test_task_that_changes_meanwhile_is_left_out(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None]
) -> None:
    store.changes.record(UID, ["7"])
    cross_validated("7", "9", during=lambda _: store.changes.record(UID, ["9"]) and None)
    reviewed(settings, store, review, studio)
    assert [issue.task for issue in store.reviews.label_issues(UID)] == ["7"]


def test_too_few_labelled_tasks_end_it_with_a_sentence(
    settings: Settings, store: Store, review: Review, cross_validated: Callable[..., None]
) -> None:
    few = FakeLabelStudio(tasks=60)
    few.annotate(1, 2, 3)
    with pytest.raises(NotEnoughLabels):
        reviewed(settings, store, review, few)
    assert row(store).error == "Looking for wrong labels needs 50 labelled tasks, and there are 3: label more."
    assert row(store).ended_at is not None


def test_tasks_that_cannot_be_read_end_it_with_both_numbers_and_the_reason(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None]
) -> None:
    studio.label_config = studio.label_config.replace("$text", "$body")
    with pytest.raises(NotEnoughLabels):
        reviewed(settings, store, review, studio)
    assert row(store).error == (
        "Looking for wrong labels needs 50 labelled tasks that can be read, and of 60 labelled tasks 0 can: no text "
        "(60), for example in task 1: data has no text under 'body'."
    )


def test_recreated_project_of_the_same_number_is_not_reviewed(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio
) -> None:
    studio.uid = "7.1999999999"
    with pytest.raises(ProjectReplaced):
        reviewed(settings, store, review, studio)
    assert "Project 7 in Label Studio is not the one this model was trained for" in (row(store).error or "")


def test_review_stays_due_if_label_studio_cannot_be_reached(settings: Settings, store: Store, review: Review) -> None:
    down = FakeLabelStudio(down=LabelStudioUnreachable("Label Studio does not answer"))
    with pytest.raises(LabelStudioUnreachable):
        reviewed(settings, store, review, down)
    assert (row(store).ended_at, row(store).error) == (None, None)


@pytest.mark.parametrize(
    ("error", "raised", "noted"),
    [
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), OutOfMemory, "Memory ran out"),
        (ValueError("odd"), ValueError, "ValueError: odd"),
    ],
)
def test_failure_is_stored_and_passed_on(
    error: Exception, raised: type[Exception], noted: str,
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None],
) -> None:  # fmt: skip
    def fail(_: object) -> None:
        raise error

    cross_validated(during=fail)
    with pytest.raises(raised):
        reviewed(settings, store, review, studio)
    assert (row(store).error or "").startswith(noted)


def test_characters_that_a_database_cannot_store_are_replaced(
    settings: Settings, store: Store, review: Review, studio: FakeLabelStudio, cross_validated: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    studio.texts[7] = "su\0\ud83d! number 7"
    cross_validated("7")
    reviewed(settings, store, review, studio)
    [issue] = store.reviews.label_issues(UID)
    assert issue.text == "su\ufffd?!"


# The process


@pytest.fixture
def process(
    settings: Settings, store: Store, studio: FakeLabelStudio, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[str], None]:
    """What a worker starts, in this process."""

    def main(review_id: str) -> None:
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)  # no .env of a developer
        monkeypatch.setattr(os, "nice", lambda increment: increment)
        monkeypatch.setattr(run_review, "__kwdefaults__", {"label_studio": lambda *_: studio})
        module.main(review_id)

    return main


def test_process_runs_the_claimed_review(
    store: Store, review: Review, process: Callable[[str], None], cross_validated: Callable[..., None]
) -> None:
    cross_validated("7")
    process(review.id)
    assert store.reviews.count(UID) == 1
    process(review.id)  # it has ended
    assert store.reviews.count(UID) == 1


def test_process_ends_normally_when_the_review_fails(
    store: Store, review: Review, studio: FakeLabelStudio, process: Callable[[str], None]
) -> None:
    studio.owners.clear()
    process(review.id)
    assert "there are 0" in (row(store).error or "")


def test_review_stays_due_if_the_worker_dies(
    store: Store, review: Review, process: Callable[[str], None], cross_validated: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    parents = iter((4711, 1))
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    cross_validated("7")
    process(review.id)
    assert "The worker is gone" in caplog.text
    assert (row(store).ended_at, row(store).error) == (None, None)
