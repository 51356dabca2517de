from __future__ import annotations

from typing import Any

import pytest

from backend.errors import UnknownProject
from backend.store import Store
from backend.store import reviews as module
from backend.store.models import LabelIssue, Review, Run
from tests.backend.fakes import UID
from tests.backend.store.races import lapse, race

OTHER = "8.1795221978"


def finished(store: Store, uid: str = UID) -> Run:
    run, _ = store.runs.queue(uid, "button")
    assert store.runs.claim() is not None
    assert store.runs.end(run.id, "finished")
    return run


def claimed(store: Store) -> Review:
    review = store.reviews.claim()
    assert review is not None
    return review


def issue(task: str = "1", score: float = 0.9, **known: Any) -> LabelIssue:
    row = {"start": 0, "end": 5, "text": "sushi", "given": "Dish", "kind": "wrong label", "view": "Cuisine 0.97"}
    return LabelIssue(project=UID, task=task, score=score, found=[], **{**row, **known})


def end(store: Store, review: Review, *label_issues: LabelIssue, revision: int = 0) -> bool:
    return store.reviews.finish(review.id, label_issues, tasks=60, revision=revision)


# What is due


def test_project_is_due_once_for_each_finished_run(any_store: Store) -> None:
    assert any_store.reviews.claim() is None
    run = finished(any_store)
    review = claimed(any_store)
    assert (review.project, review.run, review.ended_at) == (UID, run.id, None)
    assert any_store.reviews.claim() is None
    assert end(any_store, review)
    assert any_store.reviews.claim() is None
    later = finished(any_store)
    assert claimed(any_store).run == later.id


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_run_without_a_version_makes_nothing_due(any_store: Store, state: Any) -> None:
    run, _ = any_store.runs.queue(UID, "button")
    any_store.runs.end(run.id, state)
    assert any_store.reviews.claim() is None


def test_nothing_is_due_while_the_project_trains(any_store: Store) -> None:
    finished(any_store)
    run, _ = any_store.runs.queue(UID, "button")
    assert any_store.reviews.claim() is None
    any_store.runs.claim()
    assert any_store.reviews.claim() is None
    any_store.runs.end(run.id, "failed")
    assert any_store.reviews.claim() is not None


def test_project_that_waits_longest_comes_first(any_store: Store) -> None:
    any_store.projects.save(OTHER)
    finished(any_store, OTHER)
    finished(any_store)
    assert [claimed(any_store).project for _ in range(2)] == [OTHER, UID]


def test_one_of_many_workers_gets_a_review(any_store: Store) -> None:
    finished(any_store)
    assert len([review for review in race(lambda _: any_store.reviews.claim()) if review]) == 1


def test_failed_review_is_not_due_again_before_the_next_run(any_store: Store) -> None:
    finished(any_store)
    any_store.reviews.fail(claimed(any_store).id, "Memory ran out.")
    failed = any_store.reviews.get(UID)
    assert failed is not None
    assert failed.error == "Memory ran out."
    assert failed.ended_at is not None
    assert any_store.reviews.claim() is None
    finished(any_store)
    assert claimed(any_store).error is None


def test_released_review_is_due_again_at_once(any_store: Store) -> None:
    finished(any_store)
    first = claimed(any_store)
    any_store.reviews.release(first.id)
    again = claimed(any_store)
    assert (again.run, again.id == first.id) == (first.run, False)


def test_review_whose_process_died_is_taken_over(any_store: Store) -> None:
    finished(any_store)
    silent = claimed(any_store)
    lapse(any_store)
    taken = claimed(any_store)
    assert any_store.reviews.find_open(silent.id) is None
    assert any_store.reviews.find_open(taken.id) is not None
    assert not any_store.leases.renew("review", UID, silent.id)
    assert any_store.leases.renew("review", UID, taken.id)
    assert not end(any_store, silent, issue())
    assert any_store.reviews.label_issues(UID) == []
    assert any_store.reviews.claim() is None


def test_review_whose_lease_is_renewed_is_not_taken_over(any_store: Store) -> None:
    finished(any_store)
    review = claimed(any_store)
    lapse(any_store)
    assert any_store.leases.renew("review", UID, review.id)
    assert any_store.reviews.in_progress(UID)
    assert any_store.reviews.claim() is None


def test_what_has_ended_stays_as_it_is(any_store: Store) -> None:
    finished(any_store)
    review = claimed(any_store)
    assert end(any_store, review, issue())
    any_store.reviews.release(review.id)
    any_store.reviews.fail(review.id, "too late")
    assert not any_store.leases.renew("review", UID, review.id)
    assert not end(any_store, review)
    ended = any_store.reviews.get(UID)
    assert ended is not None
    assert (ended.error, ended.tasks, any_store.reviews.count(UID)) == (None, 60, 1)
    assert any_store.reviews.claim() is None


# By hand


def test_review_begins_by_hand_without_a_run_and_unless_one_is_going(any_store: Store) -> None:
    review = any_store.reviews.begin(UID)
    assert review is not None
    assert review.run is None
    assert any_store.reviews.begin(UID) is None
    assert end(any_store, review)
    assert any_store.reviews.begin(UID) is not None


def test_review_by_hand_serves_the_latest_run(any_store: Store) -> None:
    finished(any_store)
    latest = finished(any_store)
    review = any_store.reviews.begin(UID)
    assert review is not None
    assert review.run == latest.id
    assert end(any_store, review)
    assert any_store.reviews.claim() is None


def test_unknown_project_has_no_review(any_store: Store) -> None:
    assert any_store.reviews.get("9.1") is None
    with pytest.raises(UnknownProject):
        any_store.reviews.begin("9.1")


def test_overdue_review_does_not_wait_for_queued_runs(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    finished(any_store)
    any_store.runs.queue(UID, "10 changed tasks")
    assert any_store.reviews.claim(overdue=True) is None
    monkeypatch.setattr(module, "OVERDUE_SECONDS", -60.0)
    first = any_store.reviews.claim(overdue=True)
    assert first is not None
    any_store.reviews.release(first.id)
    again = any_store.reviews.claim(overdue=True)
    assert again is not None
    assert end(any_store, again)
    assert any_store.reviews.claim(overdue=True) is None


# What a person has accepted


def test_accepted_label_is_listed_no_more_until_its_task_changes(any_store: Store) -> None:
    finished(any_store)
    end(any_store, claimed(any_store), issue("1"), issue("2"))
    key = issue("1").key
    accepted = any_store.reviews.accept(UID, key)
    assert accepted is not None
    assert (accepted.task, any_store.reviews.count(UID)) == ("1", 1)
    finished(any_store)
    end(any_store, claimed(any_store), issue("1"), issue("1", start=6, end=9), issue("2"))
    assert [(row.task, row.start) for row in any_store.reviews.label_issues(UID)] == [("1", 6), ("2", 0)]
    assert [row.key for row in any_store.reviews.accepted(UID)] == [key]
    any_store.changes.record(UID, ["1"])
    assert any_store.reviews.accepted(UID) == []
    finished(any_store)
    end(any_store, claimed(any_store), issue("1"), revision=1)
    assert [row.task for row in any_store.reviews.label_issues(UID)] == ["1"]


def test_accepted_label_can_be_taken_back_and_an_unknown_one_is_none(any_store: Store) -> None:
    finished(any_store)
    end(any_store, claimed(any_store), issue("1"))
    any_store.reviews.accept(UID, issue("1").key)
    any_store.reviews.accept(UID, issue("1").key, accepted=False)
    assert any_store.reviews.count(UID) == 1
    assert any_store.reviews.accept(UID, "00000000") is None


# What was found


def test_suspects_replace_those_of_the_review_before_surest_first(any_store: Store) -> None:
    finished(any_store)
    end(any_store, claimed(any_store), issue("9"))
    finished(any_store)
    end(any_store, claimed(any_store), issue("1", 0.6), issue("2", 0.99), issue("3", 0.7))
    assert [each.task for each in any_store.reviews.label_issues(UID)] == ["2", "3", "1"]
    assert [each.task for each in any_store.reviews.label_issues(UID, limit=2)] == ["2", "3"]
    assert any_store.reviews.count(UID) == 3
    assert any_store.reviews.label_issues(OTHER) == []


def test_failed_review_leaves_what_was_known(any_store: Store) -> None:
    finished(any_store)
    end(any_store, claimed(any_store), issue())
    finished(any_store)
    any_store.reviews.fail(claimed(any_store).id, "Memory ran out.")
    assert any_store.reviews.count(UID) == 1


def test_task_that_changes_is_no_suspect_any_more(any_store: Store) -> None:
    finished(any_store)
    end(any_store, claimed(any_store), *(issue(str(task)) for task in (1, 1, 2, 3)))
    any_store.changes.record(UID, ["1", "3"])
    assert [each.task for each in any_store.reviews.label_issues(UID)] == ["2"]


def test_task_that_changed_during_the_review_is_no_suspect(any_store: Store) -> None:
    finished(any_store)
    review = claimed(any_store)
    any_store.changes.record(UID, ["1"])
    revision = any_store.projects.get(UID).revision
    any_store.changes.record(UID, ["2"])
    end(any_store, review, issue("1"), issue("2"), revision=revision)
    assert [each.task for each in any_store.reviews.label_issues(UID)] == ["1"]


def test_many_tasks_that_change_at_once_are_forgotten(any_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PARAMETERS", 2)
    finished(any_store)
    end(any_store, claimed(any_store), *(issue(str(task)) for task in range(8)))
    any_store.changes.record(UID, map(str, range(7)))
    assert [each.task for each in any_store.reviews.label_issues(UID)] == ["7"]


def test_other_projects_suspects_stay(any_store: Store) -> None:
    any_store.projects.save(OTHER)
    finished(any_store)
    end(any_store, claimed(any_store), issue("1"))
    any_store.changes.record(OTHER, ["1"])
    assert any_store.reviews.count(UID) == 1
