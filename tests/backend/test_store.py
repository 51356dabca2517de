"""The database's promises, on SQLite and, where its server is installed, on PostgreSQL."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import pytest
from sqlalchemy import event
from sqlalchemy.exc import IntegrityError

from backend.errors import SettingsError, UnknownProject, UnknownRun, UnknownVersion
from backend.store import Store
from backend.tables import Base, Run, Version
from tests.backend.conftest import ROOT
from tests.backend.fakes import UID

Result = TypeVar("Result")

OTHER = "8.1795221978"
RACERS = 8


def race(action: Callable[[int], Result], racers: int = RACERS) -> list[Result]:
    """What each of several threads gets that start an action at the same moment."""
    line = threading.Barrier(racers)

    def run(number: int) -> Result:
        line.wait(10)
        return action(number)

    with ThreadPoolExecutor(racers) as pool:
        return list(pool.map(run, range(racers)))


def claimed(store: Store, uid: str = UID) -> Run:
    """A run of the project that has just been started."""
    store.queue_run(uid, "test")
    run = store.claim_run()
    assert run is not None
    return run


def version(number: int, uid: str = UID) -> Version:
    return Version(project=uid, number=number, name=f"ner-v{number}", labels=["Dish"], metrics={"f1": 0.5})


# Projects


def test_project_is_remembered_with_what_is_known_of_it(any_store: Store) -> None:
    any_store.remember_project(UID, extra_params={"a": 1})
    project = any_store.remember_project(UID, title="Menus", access_token=None)
    assert (project.uid, project.id, project.title, project.extra_params) == (UID, 7, "Menus", {"a": 1})
    assert any_store.project(UID).title == "Menus"


def test_project_known_by_its_uid_alone_is_remembered_too(any_store: Store) -> None:
    assert any_store.remember_project(OTHER).title == ""
    assert [project.uid for project in any_store.projects()] == [UID, OTHER]


def test_remembering_a_project_writes_nothing_when_nothing_changed(store: Store) -> None:
    known = {"title": "Menus", "label_config": "<View/>", "extra_params": {"a": [1]}}
    store.remember_project(UID, **known)
    statements: list[str] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    store.remember_project(UID, **known)
    assert {statement.split()[0] for statement in statements} <= {"BEGIN", "SELECT"}

    store.remember_project(UID, **{**known, "title": "Other"})
    assert any(statement.startswith("INSERT") for statement in statements)


def test_project_met_by_many_threads_at_once_exists_once(any_store: Store) -> None:
    race(lambda number: any_store.remember_project(OTHER, title=f"title {number}"))
    assert [project.uid for project in any_store.projects()] == [UID, OTHER]


def test_unknown_project_is_named_in_the_error(any_store: Store) -> None:
    with pytest.raises(UnknownProject, match=r"'9\.1'"):
        any_store.project("9.1")


# Changed labels


def test_task_that_changes_twice_counts_once(any_store: Store) -> None:
    assert any_store.record_changes(UID, ["1"]) == 1
    assert any_store.record_changes(UID, ["1", "1", "2"]) == 2
    assert any_store.count_changes(UID) == 2


def test_changes_are_counted_per_project(any_store: Store) -> None:
    any_store.remember_project(OTHER)
    any_store.record_changes(UID, ["1", "2"])
    assert any_store.record_changes(OTHER, ["1"]) == 1
    any_store.settle_changes(OTHER, any_store.project(OTHER).revision)
    assert any_store.count_changes(UID) == 2


def test_changes_after_a_snapshot_stay_counted(any_store: Store) -> None:
    any_store.record_changes(UID, ["1", "2", "3"])
    snapshot = any_store.project(UID).revision
    any_store.record_changes(UID, ["3", "4"])
    any_store.settle_changes(UID, snapshot)
    assert any_store.count_changes(UID) == 2


def test_changes_of_an_unknown_project_are_refused(any_store: Store) -> None:
    with pytest.raises(UnknownProject):
        any_store.record_changes("9.1", ["1"])


def test_five_thousand_changes_are_one_call(any_store: Store) -> None:
    assert any_store.record_changes(UID, (str(task) for task in range(5001))) == 5001


def test_changes_recorded_by_many_threads_are_all_counted(any_store: Store) -> None:
    def record(number: int) -> None:
        for task in range(5):
            any_store.record_changes(UID, [str(number * 5 + task)])

    race(record)
    assert any_store.count_changes(UID) == RACERS * 5
    assert any_store.project(UID).revision == RACERS * 5


# Annotations


def test_deleted_annotations_name_the_tasks_that_are_known(any_store: Store) -> None:
    any_store.remember_annotations(UID, {10: 1, 11: 1, 12: 2})
    any_store.remember_annotations(UID, {10: 1})
    assert any_store.forget_annotations(UID, [10, 12, 99]) == {10: 1, 12: 2}
    assert any_store.annotations(UID) == {11: 1}
    assert any_store.forget_annotations(UID, [10]) == {}


def test_replaced_annotations_are_all_that_is_known(any_store: Store) -> None:
    any_store.remember_project(OTHER)
    any_store.remember_annotations(OTHER, {1: 1})
    any_store.remember_annotations(UID, {1: 1, 2: 2})
    any_store.replace_annotations(UID, {2: 2, 3: 3})
    assert any_store.annotations(UID) == {2: 2, 3: 3}
    any_store.replace_annotations(UID, {})
    assert any_store.annotations(UID) == {}
    assert any_store.annotations(OTHER) == {1: 1}


def test_forty_thousand_annotations_are_one_call(any_store: Store) -> None:
    many = {number: number % 7 for number in range(40_000)}
    any_store.replace_annotations(UID, many)
    assert any_store.annotations(UID) == many
    assert any_store.forget_annotations(UID, list(many)) == many


def test_ids_beyond_32_bits_are_stored(any_store: Store) -> None:
    any_store.remember_annotations(UID, {2**40: 2**41})
    assert any_store.annotations(UID) == {2**40: 2**41}


# Runs


def test_one_run_waits_per_project(any_store: Store) -> None:
    first, new = any_store.queue_run(UID, "button")
    again, newer = any_store.queue_run(UID, "threshold")
    assert (new, newer) == (True, False)
    assert again.id == first.id
    assert again.reason == "button"


def test_racing_threads_queue_one_run(any_store: Store) -> None:
    queued = race(lambda _: any_store.queue_run(UID, "button"))
    assert len({run.id for run, _ in queued}) == 1
    assert sum(new for _, new in queued) == 1


QUEUE_FROM_A_PROCESS = """
import sys
from backend.store import Store
store = Store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(store.queue_run(sys.argv[2], "button")[0].id)
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
    assert [run.id for run in any_store.runs(project=UID)] == [answers.pop().strip()]


def test_run_of_an_unknown_project_is_refused(any_store: Store) -> None:
    with pytest.raises(UnknownProject):
        any_store.queue_run("9.1", "button")


def test_claimed_run_is_started_with_a_heartbeat(any_store: Store) -> None:
    run = claimed(any_store)
    assert (run.state, run.attempt, run.progress) == ("started", 1, 0.0)
    assert run.started_at is not None
    assert run.heartbeat_at is not None


def test_of_many_racing_threads_one_gets_the_run(any_store: Store) -> None:
    any_store.queue_run(UID, "button")
    won = [run for run in race(lambda _: any_store.claim_run()) if run]
    assert len(won) == 1
    assert any_store.run(won[0].id).attempt == 1


def test_no_second_run_of_a_project_that_trains(any_store: Store) -> None:
    first = claimed(any_store)
    second, new = any_store.queue_run(UID, "more labels")
    assert new
    assert any_store.claim_run() is None
    any_store.end_run(first.id, "finished", attempt=1)
    started = any_store.claim_run()
    assert started is not None
    assert started.id == second.id


def test_runs_start_in_the_order_they_were_queued_in(any_store: Store) -> None:
    any_store.remember_project(OTHER)
    runs = [any_store.queue_run(uid, "button")[0].id for uid in (OTHER, UID)]
    assert [run.id for run in (any_store.claim_run(), any_store.claim_run()) if run] == runs
    assert [run.id for run in any_store.runs()] == runs[::-1]
    assert [run.id for run in any_store.runs(project=UID, states=("started",), limit=1)] == [runs[1]]


def test_progress_is_written_to_a_started_run_only(any_store: Store) -> None:
    run = claimed(any_store)
    assert any_store.update_run(run.id, attempt=1, phase="training", progress=0.5)
    assert (any_store.run(run.id).phase, any_store.run(run.id).progress) == ("training", 0.5)
    assert any_store.end_run(run.id, "cancelled")
    assert not any_store.update_run(run.id, attempt=1, progress=0.9)
    assert not any_store.end_run(run.id, "finished", attempt=1, version="ner-v1")
    assert any_store.run(run.id).state == "cancelled"


def test_stale_attempt_writes_nothing(any_store: Store) -> None:
    run = claimed(any_store)
    any_store.requeue_run(run.id)
    again = any_store.claim_run()
    assert again is not None
    assert again.attempt == 2
    assert not any_store.update_run(run.id, attempt=1, progress=0.9)
    assert not any_store.end_run(run.id, "finished", attempt=1)
    any_store.requeue_run(run.id, attempt=1)
    assert any_store.run(run.id).state == "started"
    assert any_store.end_run(run.id, "finished", attempt=2, version="ner-v1")
    ended = any_store.run(run.id)
    assert (ended.state, ended.phase, ended.progress, ended.version) == ("finished", "finished", 1.0, "ner-v1")
    assert ended.finished_at is not None


def test_requeued_run_keeps_its_place_and_shows_no_progress(any_store: Store) -> None:
    run = claimed(any_store)
    any_store.update_run(run.id, attempt=1, phase="training", progress=0.5, eta_seconds=9.0)
    any_store.requeue_run(run.id, attempt=1)
    waiting = any_store.run(run.id)
    assert (waiting.state, waiting.phase, waiting.progress, waiting.eta_seconds) == ("queued", "queued", 0.0, None)
    assert waiting.queued_at == run.queued_at


def test_requeueing_touches_no_run_that_has_ended(any_store: Store) -> None:
    run = claimed(any_store)
    any_store.end_run(run.id, "finished")
    any_store.requeue_run(run.id)
    assert any_store.run(run.id).state == "finished"


def test_dead_run_ends_where_a_newer_one_waits(any_store: Store) -> None:
    dead = claimed(any_store)
    newer, _ = any_store.queue_run(UID, "more labels")
    any_store.requeue_run(dead.id, attempt=1)
    assert any_store.run(dead.id).state == "failed"
    assert "newer run" in (any_store.run(dead.id).error or "")
    assert any_store.run(newer.id).state == "queued"


def test_run_without_a_heartbeat_is_stalled(any_store: Store) -> None:
    run = claimed(any_store)
    assert any_store.stalled_runs(silent_for=60) == []
    assert [stalled.id for stalled in any_store.stalled_runs(silent_for=-1)] == [run.id]
    any_store.end_run(run.id, "failed")
    assert any_store.stalled_runs(silent_for=-1) == []


def test_unknown_run_is_named_in_the_error(any_store: Store) -> None:
    with pytest.raises(UnknownRun, match="'nope'"):
        any_store.run("nope")


# Refreshes


def test_refresh_is_due_until_the_latest_request_is_served(any_store: Store) -> None:
    assert any_store.refresh_due(UID) is None
    any_store.want_refresh(UID)
    request = any_store.refresh_due(UID)
    any_store.want_refresh(UID)
    assert request == 1
    any_store.refresh_served(UID, request)
    assert any_store.refresh_due(UID) == 2
    any_store.refresh_served(UID, 2)
    assert any_store.refresh_due(UID) is None


def test_one_holder_refreshes_at_a_time(any_store: Store) -> None:
    held = race(lambda number: any_store.hold_refresh(UID, seconds=60, holder=str(number)))
    assert sum(held) == 1
    holder = str(held.index(True))
    assert any_store.hold_refresh(UID, seconds=60, holder=holder)
    assert not any_store.hold_refresh(UID, seconds=0, holder="other")
    assert any_store.hold_refresh(UID, seconds=0, holder=holder)
    assert any_store.hold_refresh(UID, seconds=60, holder="other")


def test_hold_of_a_dead_refresh_lapses(any_store: Store) -> None:
    assert any_store.hold_refresh(UID, seconds=-1, holder="dead")
    assert any_store.hold_refresh(UID, seconds=60, holder="other")
    assert not any_store.hold_refresh(UID, seconds=60, holder="dead")


def test_unknown_project_has_no_refresh_to_hold(any_store: Store) -> None:
    assert not any_store.hold_refresh("9.1", seconds=60, holder="me")


# Versions


def test_versions_are_listed_newest_first(any_store: Store) -> None:
    any_store.remember_project(OTHER)
    assert any_store.next_version_number(UID) == 1
    for number in (1, 2, 10):
        any_store.add_version(version(number))
    any_store.add_version(version(1, OTHER))
    assert [each.name for each in any_store.versions(UID)] == ["ner-v10", "ner-v2", "ner-v1"]
    assert any_store.next_version_number(UID) == 11
    assert any_store.version(UID, "ner-v2").metrics == {"f1": 0.5}


def test_version_name_is_given_once(any_store: Store) -> None:
    any_store.add_version(version(1))
    with pytest.raises(IntegrityError):
        any_store.add_version(version(1))


def test_unknown_version_names_those_there_are(any_store: Store) -> None:
    any_store.add_version(version(1))
    with pytest.raises(UnknownVersion, match="'ner-v9'; it has: ner-v1"):
        any_store.version(UID, "ner-v9")


def test_promotion_writes_the_current_version_and_why(any_store: Store) -> None:
    any_store.add_version(version(1))
    any_store.add_version(version(2))
    assert (any_store.current_version(UID), any_store.current_version(OTHER)) == (None, None)
    any_store.set_current_version(UID, "ner-v2", verdict="promoted: better")
    assert (any_store.current_version(UID), any_store.current_version(OTHER)) == ("ner-v2", None)
    any_store.set_verdict(UID, "ner-v1", "rejected: worse")
    assert any_store.project(UID).current_version == "ner-v2"
    assert [each.verdict for each in any_store.versions(UID)] == ["promoted: better", "rejected: worse"]


# The database itself


def test_concurrent_writers_of_several_stores_wait_for_each_other(any_store: Store) -> None:
    url = any_store.engine.url.render_as_string(hide_password=False)

    def write(number: int) -> None:
        own = Store(url)
        for round_ in range(4):
            own.remember_project(UID, title=f"{number} {round_}")
            own.record_changes(UID, [f"{number} {round_}"])
            own.queue_run(UID, "button")
            own.claim_run()
            own.want_refresh(UID)
        own.close()

    race(write, 4)
    assert any_store.count_changes(UID) == 16
    assert any_store.project(UID).refresh_wanted == 16


def test_stores_that_start_at_once_make_the_tables_once(any_store: Store) -> None:
    url = any_store.engine.url.render_as_string(hide_password=False)
    Base.metadata.drop_all(any_store.engine)

    def start(number: int) -> None:
        own = Store(url)
        own.remember_project(f"{number + 1}.1")
        own.close()

    race(start)
    assert len(any_store.projects()) == RACERS


def test_sqlite_file_and_its_folder_are_made(tmp_path: Path) -> None:
    Store(f"sqlite:///{tmp_path}/new/folder/backend.sqlite3").close()
    assert (tmp_path / "new" / "folder" / "backend.sqlite3").is_file()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://user:secret@host/name",
        "postgresql+psycopg://user:secret@127.0.0.1:1/name",
        "postgresql+psycopg://user:secret@127.0.0.1:port/name",
        "sqlite:///{tmp_path}",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///{tmp_path}/text.txt",
        "sqlite:///{tmp_path}/text.txt/below.sqlite3",
    ],
)
def test_unusable_database_is_a_sentence_about_its_variable(url: str, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("This is no database. " * 200)
    with pytest.raises(SettingsError, match=r"^DATABASE_URL is not usable \(.+\): use sqlite:///FILE or") as caught:
        Store(url.format(tmp_path=tmp_path))
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
