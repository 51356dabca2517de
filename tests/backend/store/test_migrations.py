"""Databases that earlier releases made are taken over with their rows, and end up as a new one."""

from __future__ import annotations

import multiprocessing
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, Inspector, inspect
from sqlalchemy.exc import OperationalError

from backend.errors import SettingsError
from backend.evaluation.verdict import describe
from backend.queue import open_queue
from backend.store import Store
from backend.store.database import open_engine
from backend.store.migrations import FOLDER, REVISIONS, migrate
from backend.store.models import Base
from tests.backend.fakes import UID
from tests.backend.store.races import RACERS, race

RELEASE = (Path(__file__).with_name("release_0_1.sql")).read_text(encoding="utf-8")

FOR_SQLITE = {"SERIAL": "INTEGER", "DOUBLE PRECISION": "DOUBLE", "DEFAULT false": "DEFAULT 0"}


def execute(engine: Engine, script: str) -> None:
    if engine.dialect.name == "sqlite":
        for name, other in FOR_SQLITE.items():
            script = script.replace(name, other)
    else:
        script = script.replace("%", "%%")
    with engine.begin() as connection:
        for statement in script.strip().split(";\n"):
            connection.exec_driver_sql(statement.removesuffix(";"))


@pytest.fixture
def engine(any_url: str) -> Iterator[Engine]:
    engine = open_engine(any_url)
    yield engine
    engine.dispose()


@pytest.fixture
def old_url(any_url: str, engine: Engine) -> str:
    """A database of the release before there were revisions, with rows in every table."""
    execute(engine, RELEASE)
    return any_url


def structure(engine: Engine) -> dict[str, Any]:
    """All tables with columns, keys, constraints and indexes, without what only a name differs in."""
    inspector = inspect(engine)
    tables = set(inspector.get_table_names()) - {"alembic_version"}
    return {
        table: described(inspector, table)
        for table in sorted(tables)
        if not table.startswith(("kv", "schedule", "task"))
    }


def described(inspector: Inspector, table: str) -> dict[str, Any]:
    columns = {
        column["name"]: (str(column["type"]), column["nullable"], column["default"])
        for column in inspector.get_columns(table)
    }
    foreign = {
        (*key["constrained_columns"], key["referred_table"], *key["referred_columns"])
        for key in inspector.get_foreign_keys(table)
    }
    indexes = {
        (index["name"], *index["column_names"], index["unique"], re.sub(r"[()]|::\w+( \w+)*", "", condition_of(index)))
        for index in inspector.get_indexes(table)
        if not index.get("duplicates_constraint")
    }
    unique = {tuple(constraint["column_names"]) for constraint in inspector.get_unique_constraints(table)}
    primary = tuple(inspector.get_pk_constraint(table)["constrained_columns"])
    return {"columns": columns, "primary": primary, "foreign": foreign, "unique": unique, "indexes": indexes}


def condition_of(index: Any) -> str:
    options = index.get("dialect_options", {})
    return str(options.get("sqlite_where", options.get("postgresql_where", "")))


def new_structure(engine: Engine) -> dict[str, Any]:
    """The structure that an empty database gets."""
    with engine.begin() as connection:
        Base.metadata.drop_all(connection)
        connection.exec_driver_sql("DROP TABLE alembic_version")
    Store(engine.url.render_as_string(hide_password=False)).close()
    return structure(engine)


def test_all_migrations_together_make_the_tables_of_a_new_database(any_url: str, engine: Engine) -> None:
    with engine.execution_options(writes=True).begin() as connection:
        migrate(connection)
    migrated = structure(engine)
    assert {"projects", "runs", "leases", "promotions"} < migrated.keys()
    assert len(migrated["runs"]["indexes"]) == 2
    assert migrated == new_structure(engine)


def test_old_database_has_the_tables_and_indexes_of_a_new_one(old_url: str, engine: Engine) -> None:
    Store(old_url).close()
    upgraded = structure(engine)
    assert upgraded == new_structure(engine)


def test_rows_of_an_old_database_stay(old_url: str) -> None:
    store = Store(old_url)
    project = store.projects.get(UID)
    assert (project.title, project.extra_params, project.access_token) == ("Restaurants", {"epochs": 2}, "token")
    assert (project.current_version, project.revision, store.syncs.pending(UID)) == ("ner-v1", 12, 6)
    assert (project.synced_at, project.sync_error) == (1800000000.0, "Label Studio does not answer.")
    assert store.annotations.of(UID) == {9000000001: 11, 9000000002: 12}
    assert store.changes.count(UID) == 1
    assert store.secrets.get("dashboard") == "abc"
    assert [run.id for run in store.runs.latest()] == ["run4", "run3", "run2", "run1"]
    assert [store.runs.get(run).overrides for run in ("run1", "run3")] == [None, {"seed": 1}]
    [issue] = store.reviews.label_issues(UID)
    assert (issue.task, issue.found[0]["label"], issue.score) == ("11", "Dish", 0.9)
    assert [(version.name, version.pinned, version.pruned_at) for version in store.versions.of(UID)] == [
        ("ner-v3", False, 400.0),
        ("ner-v2", False, None),
        ("ner-v1", True, None),
    ]
    store.close()


def test_old_verdicts_become_decisions_and_promotions(old_url: str) -> None:
    store = Store(old_url)
    rejected, better, by_hand = store.versions.of(UID)
    assert rejected.decision is not None
    assert (rejected.decision.promote, rejected.promotions) == (False, [])
    assert rejected.decision.note == "rejected: F1 0.400 against 0.600 on the same 40 held-out tasks"
    assert better.decision is not None
    assert (better.decision.promote, better.decision.rule) == (True, "earlier_release")
    [by_gate] = better.promotions
    assert (by_gate.actor, by_gate.previous, by_gate.promoted_at) == ("gate", None, 200.0)
    assert by_hand.decision is None  # the release that promoted it by hand had overwritten what the gate said
    [last] = by_hand.promotions
    assert (last.actor, last.previous, last.promoted_at) == ("person", None, None)
    assert last.id > by_gate.id
    assert describe(by_hand) == "promoted by hand (person)"
    store.close()


def test_tasks_in_the_queue_of_an_earlier_release_are_dropped(old_url: str) -> None:
    earlier = open_queue(old_url)

    earlier.enqueue(earlier.task(name="run_training")(lambda: None).s())
    assert earlier.pending_count() == 1
    Store(old_url).close()
    assert earlier.pending_count() == 0
    earlier.storage.close()


def test_old_leases_stay(old_url: str) -> None:
    store = Store(old_url)
    assert store.runs.stalled() == []
    assert store.runs.update("run3", attempt=2, progress=0.6)
    assert not store.runs.update("run3", attempt=1, progress=0.7)
    assert store.reviews.in_progress(UID)
    assert not store.leases.acquire("sync", UID, "another worker")
    assert store.leases.renew("sync", UID, "worker")
    store.close()


def test_upgraded_database_works(old_url: str) -> None:
    for _ in range(2):
        store = Store(old_url)
        assert store.runs.queue(UID, "button")[1] is False
        assert store.runs.claim() is None  # run3 is in progress
        store.close()
    store = Store(old_url)
    store.versions.promote(UID, "ner-v2", actor="dashboard")
    assert store.versions.get(UID, "ner-v2").promotions[-1].previous == "ner-v1"
    store.close()


FIRST_RELEASE_LACKS = """
DROP TABLE suspects;
DROP TABLE reviews;
DROP TABLE secrets;
DROP INDEX runs_by_state;
ALTER TABLE runs DROP COLUMN wishes;
ALTER TABLE runs DROP COLUMN revision;
ALTER TABLE versions DROP COLUMN pinned;
ALTER TABLE versions DROP COLUMN pruned_at;
ALTER TABLE projects DROP COLUMN compared_at;
ALTER TABLE projects DROP COLUMN trouble
"""


def test_database_of_the_first_release_gets_what_came_later(old_url: str, engine: Engine) -> None:
    execute(engine, FIRST_RELEASE_LACKS)
    store = Store(old_url)
    assert [(version.name, version.pinned) for version in store.versions.of(UID)][-1] == ("ner-v1", False)
    assert store.reviews.count(UID) == 0
    store.close()
    upgraded = structure(engine)
    assert upgraded == new_structure(engine)


def test_threads_that_upgrade_at_once_do_it_once(old_url: str) -> None:
    def start(_: int) -> str | None:
        store = Store(old_url)
        try:
            return store.projects.current_version(UID)
        finally:
            store.close()

    assert race(start) == ["ner-v1"] * RACERS


def open_store(url: str, line: Any, results: Any) -> None:
    line.wait(60)
    try:
        store = Store(url)
        results.put(len(store.versions.of(UID)))
        store.close()
    except BaseException as error:
        results.put(repr(error))


@pytest.mark.slow
def test_processes_that_upgrade_at_once_do_it_once(old_url: str) -> None:
    context = multiprocessing.get_context("spawn")
    line, results = context.Barrier(3), context.Queue()
    processes = [context.Process(target=open_store, args=(old_url, line, results)) for _ in range(3)]
    for process in processes:
        process.start()
    assert [results.get(timeout=120) for _ in processes] == [3, 3, 3]
    for process in processes:
        process.join(30)


def test_failed_upgrade_changes_nothing(old_url: str, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = structure(engine)

    def fail(*_: object, **__: object) -> None:
        raise OperationalError("CREATE TABLE", {}, Exception("disk full"))

    with monkeypatch.context() as failing:
        failing.setattr("alembic.operations.Operations.create_index", fail)
        failing.setattr("alembic.op.create_index", fail, raising=False)
        with pytest.raises(SettingsError, match="disk full"):
            Store(old_url)
    assert structure(engine) == before
    store = Store(old_url)
    assert len(store.versions.of(UID)) == 3
    store.close()


def test_foreign_keys_are_enforced_after_an_upgrade(old_url: str) -> None:
    store = Store(old_url)
    with pytest.raises(Exception, match=r"(?i)foreign key"), store._database.write() as session:
        session.connection().exec_driver_sql("INSERT INTO changes (project, task, revision) VALUES ('9.9', '1', 1)")
    store.close()


def test_database_of_a_newer_release_is_refused(any_url: str, engine: Engine) -> None:
    Store(any_url).close()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SettingsError, match=r"revision 9999.*a newer release has upgraded it"):
        Store(any_url)


def test_revisions_follow_each_other() -> None:
    scripts = ScriptDirectory(str(FOLDER))
    assert scripts.get_heads() == [REVISIONS[-1]]
    assert [script.revision for script in reversed(list(scripts.walk_revisions()))] == list(REVISIONS)
