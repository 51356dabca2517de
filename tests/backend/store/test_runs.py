from __future__ import annotations

import subprocess
import sys

import pytest

from backend.errors import InvalidRequest, UnknownProject, UnknownRun
from backend.store import Store
from backend.store.models import Decision, Run, Version
from tests.backend.conftest import ROOT
from tests.backend.fakes import UID
from tests.backend.store.races import lapse, race

OTHER = "8.1795221978"


def claimed(store: Store, uid: str = UID) -> Run:
    """A run of the project that has just been started."""
    store.runs.queue(uid, "test")
    run = store.runs.claim()
    assert run is not None
    return run


def test_automatic_run_that_a_person_asks_for_is_a_persons(any_store: Store) -> None:
    queued, _ = any_store.runs.queue(UID, "3 changed tasks", automatic=True)
    assert queued.automatic
    assert any_store.runs.latest(by_people=True) == []
    assert any_store.runs.queue(UID, "4 changed tasks", automatic=True)[0].automatic
    asked, new = any_store.runs.queue(UID, "button")
    assert (asked.id, asked.automatic, new) == (queued.id, False, False)
    assert [run.id for run in any_store.runs.latest(by_people=True)] == [queued.id]


def test_one_run_waits_per_project(any_store: Store) -> None:
    first, new = any_store.runs.queue(UID, "button")
    again, newer = any_store.runs.queue(UID, "threshold")
    assert (new, newer) == (True, False)
    assert again.id == first.id
    assert again.reason == "button"


def test_racing_threads_queue_one_run(any_store: Store) -> None:
    queued = race(lambda _: any_store.runs.queue(UID, "button"))
    assert len({run.id for run, _ in queued}) == 1
    assert sum(new for _, new in queued) == 1


QUEUE_FROM_A_PROCESS = """
import sys
from backend.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(store.runs.queue(sys.argv[2], "button")[0].id)
"""


def test_two_processes_queue_one_run(any_store: Store) -> None:
    url = any_store.engine.url.render_as_string(hide_password=False)
    command = [sys.executable, "-c", QUEUE_FROM_A_PROCESS, url, UID]
    children = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    answers = {child.communicate(timeout=20)[0] for child in children}
    assert len(answers) == 1
    assert [run.id for run in any_store.runs.latest(project=UID)] == [answers.pop().strip()]


def test_run_of_an_unknown_project_is_refused(any_store: Store) -> None:
    with pytest.raises(UnknownProject):
        any_store.runs.queue("9.1", "button")


def test_claimed_run_is_started_and_leased(any_store: Store) -> None:
    run = claimed(any_store)
    assert (run.state, run.attempt, run.progress) == ("started", 1, 0.0)
    assert run.started_at is not None
    assert any_store.leases.renewed_at("run", run.id) is not None


def test_of_many_racing_threads_one_gets_the_run(any_store: Store) -> None:
    any_store.runs.queue(UID, "button")
    won = [run for run in race(lambda _: any_store.runs.claim()) if run]
    assert len(won) == 1
    assert any_store.runs.get(won[0].id).attempt == 1


def test_no_second_run_of_a_project_that_trains(any_store: Store) -> None:
    first = claimed(any_store)
    second, new = any_store.runs.queue(UID, "more labels")
    assert new
    assert any_store.runs.claim() is None
    any_store.runs.end(first.id, "finished", attempt=1)
    started = any_store.runs.claim()
    assert started is not None
    assert started.id == second.id


def test_runs_start_in_the_order_they_were_queued_in(any_store: Store) -> None:
    any_store.projects.save(OTHER)
    runs = [any_store.runs.queue(uid, "button")[0].id for uid in (OTHER, UID)]
    assert [run.id for run in (any_store.runs.claim(), any_store.runs.claim()) if run] == runs
    assert [run.id for run in any_store.runs.latest()] == runs[::-1]
    assert [run.id for run in any_store.runs.latest(project=UID, states=("started",), limit=1)] == [runs[1]]


def test_progress_is_written_to_a_started_run_only(any_store: Store) -> None:
    run = claimed(any_store)
    assert any_store.runs.update(run.id, attempt=1, phase="training", progress=0.5)
    assert (any_store.runs.get(run.id).phase, any_store.runs.get(run.id).progress) == ("training", 0.5)
    assert any_store.runs.end(run.id, "cancelled")
    assert not any_store.runs.update(run.id, attempt=1, progress=0.9)
    assert not any_store.runs.end(run.id, "finished", attempt=1, version="ner-v1")
    assert any_store.runs.get(run.id).state == "cancelled"


def test_stale_attempt_writes_nothing(any_store: Store) -> None:
    run = claimed(any_store)
    any_store.runs.requeue(run.id)
    again = any_store.runs.claim()
    assert again is not None
    assert again.attempt == 2
    assert not any_store.runs.update(run.id, attempt=1, progress=0.9)
    assert not any_store.runs.end(run.id, "finished", attempt=1)
    any_store.runs.requeue(run.id, attempt=1)
    assert any_store.runs.get(run.id).state == "started"
    assert any_store.runs.end(run.id, "finished", attempt=2, version="ner-v1")
    ended = any_store.runs.get(run.id)
    assert (ended.state, ended.phase, ended.progress, ended.version) == ("finished", "finished", 1.0, "ner-v1")
    assert ended.finished_at is not None


def test_requeued_run_keeps_its_place_and_shows_no_progress(any_store: Store) -> None:
    run = claimed(any_store)
    any_store.runs.update(run.id, attempt=1, phase="training", progress=0.5, eta_seconds=9.0)
    any_store.runs.requeue(run.id, attempt=1)
    waiting = any_store.runs.get(run.id)
    assert (waiting.state, waiting.phase, waiting.progress, waiting.eta_seconds) == ("queued", "queued", 0.0, None)
    assert waiting.queued_at == run.queued_at


def test_requeueing_touches_no_run_that_has_ended(any_store: Store) -> None:
    run = claimed(any_store)
    any_store.runs.end(run.id, "finished")
    any_store.runs.requeue(run.id)
    assert any_store.runs.get(run.id).state == "finished"


def test_dead_run_ends_where_a_newer_one_waits(any_store: Store) -> None:
    dead = claimed(any_store)
    newer, _ = any_store.runs.queue(UID, "more labels")
    any_store.runs.requeue(dead.id, attempt=1)
    assert any_store.runs.get(dead.id).state == "failed"
    assert "newer run" in (any_store.runs.get(dead.id).error or "")
    assert any_store.runs.get(newer.id).state == "queued"


def test_run_whose_lease_lapsed_is_stalled(any_store: Store) -> None:
    run = claimed(any_store)
    assert any_store.runs.stalled() == []
    lapse(any_store)
    assert [stalled.id for stalled in any_store.runs.stalled()] == [run.id]
    assert any_store.leases.renew("run", run.id, "1")
    assert any_store.runs.stalled() == []
    lapse(any_store)
    any_store.runs.end(run.id, "failed")
    assert any_store.runs.stalled() == []


def test_run_that_is_claimed_again_is_leased_to_the_new_attempt(any_store: Store) -> None:
    run = claimed(any_store)
    any_store.runs.requeue(run.id)
    assert any_store.leases.renewed_at("run", run.id) is None
    assert any_store.runs.claim() is not None
    assert any_store.leases.renew("run", run.id, "2")
    assert not any_store.leases.renew("run", run.id, "1")


def made(run: Run) -> Version:
    return Version(
        project=UID,
        number=1,
        name="ner-v1",
        run=run.id,
        labels=["Dish"],
        metrics={},
        decision=Decision(promote=True, rule="bootstrap", f1=0.6, new_labels=[]),
        promotions=[],
    )


@pytest.mark.parametrize(("promote", "serves", "due"), [(True, "ner-v1", 1), (False, None, None)])
def test_run_ends_with_the_version_it_made(
    promote: bool, serves: str | None, due: int | None, any_store: Store
) -> None:
    run = claimed(any_store)
    any_store.changes.record(UID, ["1", "2"])
    revision = any_store.projects.get(UID).revision
    any_store.changes.record(UID, ["2"])
    assert any_store.runs.publish(run.id, made(run), attempt=1, promote=promote, revision=revision)
    ended = any_store.runs.get(run.id)
    assert (ended.state, ended.version, ended.progress) == ("finished", "ner-v1", 1.0)
    version = any_store.versions.get(UID, "ner-v1")
    assert version.decision is not None
    assert (version.decision.rule, version.decision.f1) == ("bootstrap", 0.6)
    assert [(row.actor, row.previous) for row in version.promotions] == ([("gate", None)] if promote else [])
    assert any_store.projects.current_version(UID) == serves
    assert any_store.syncs.pending(UID) == due
    assert any_store.changes.count(UID) == 1


def test_labels_that_arrive_while_a_run_publishes_wait_for_it(any_store: Store) -> None:
    tasks = [str(task) for task in range(300)]
    for number in range(1, 4):
        run = claimed(any_store)
        any_store.changes.record(UID, tasks)
        revision = any_store.projects.get(UID).revision
        version = Version(project=UID, number=number, name=f"ner-v{number}", labels=[], metrics={}, promotions=[])

        def act(racer: int, run: Run = run, version: Version = version, revision: int = revision) -> object:
            if racer:
                return any_store.changes.record(UID, tasks[:: -1 if racer % 2 else 1])
            return any_store.runs.publish(run.id, version, attempt=1, promote=True, revision=revision)

        assert race(act, 4)[0]
        assert any_store.changes.count(UID) == len(tasks)


@pytest.mark.parametrize("before", ["cancelled", "queued again", "another attempt"])
def test_run_that_was_ended_publishes_nothing(before: str, any_store: Store) -> None:
    run = claimed(any_store)
    any_store.changes.record(UID, ["1"])
    if before == "cancelled":
        any_store.runs.end(run.id, "cancelled")
    else:
        any_store.runs.requeue(run.id)
        if before == "another attempt":
            any_store.runs.claim()
    assert not any_store.runs.end(run.id, "failed", attempt=1)
    assert not any_store.runs.publish(run.id, made(run), attempt=1, promote=True, revision=9)
    assert any_store.versions.of(UID) == []
    assert any_store.projects.current_version(UID) is None
    assert any_store.changes.count(UID) == 1


def test_run_that_is_cancelled_while_it_publishes_does_one_of_both(any_store: Store) -> None:
    for number in range(1, 6):
        run = claimed(any_store)
        version = Version(project=UID, number=number, name=f"ner-v{number}", labels=[], metrics={}, promotions=[])

        def end(racer: int, run: Run = run, version: Version = version) -> bool:
            if racer:
                return any_store.runs.end(run.id, "cancelled")
            return any_store.runs.publish(run.id, version, attempt=1, promote=True, revision=0)

        published, cancelled = race(end, 2)
        assert published != cancelled
        assert any_store.runs.get(run.id).state == ("finished" if published else "cancelled")
        assert (any_store.projects.current_version(UID) == version.name) == published


def test_ended_run_notes_the_revision_it_ended_at(any_store: Store) -> None:
    run = claimed(any_store)
    any_store.changes.record(UID, ["1"])
    any_store.runs.end(run.id, "cancelled")
    any_store.changes.record(UID, ["2"])
    assert any_store.runs.get(run.id).revision == 1


def test_run_is_found_by_the_beginning_of_its_id(any_store: Store) -> None:
    runs = [Run(id=run_id, project=UID, reason="button", state="failed") for run_id in ("ab12", "ab34", "c_56")]
    with any_store._database.write() as session:
        session.add_all(runs)
    assert [any_store.runs.find(prefix).id for prefix in ("ab1", "ab34", "c")] == ["ab12", "ab34", "c_56"]
    with pytest.raises(InvalidRequest, match="Several training runs begin with 'ab'"):
        any_store.runs.find("ab")
    for unknown in ("", "d", "%", "_", "ab123"):
        with pytest.raises(UnknownRun):
            any_store.runs.find(unknown)


def test_started_runs_are_those_in_progress(any_store: Store) -> None:
    any_store.projects.save(OTHER)
    run = claimed(any_store)
    any_store.runs.queue(OTHER, "button")
    assert [started.id for started in any_store.runs.started()] == [run.id]


def test_unknown_run_is_named_in_the_error(any_store: Store) -> None:
    with pytest.raises(UnknownRun, match="'nope'"):
        any_store.runs.get("nope")
