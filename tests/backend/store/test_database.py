"""The database's promises, on SQLite and, where its server is installed, on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import SettingsError
from backend.store import Store
from backend.store.models import Base, Version
from tests.backend.fakes import UID
from tests.backend.store.races import RACERS, race


def test_concurrent_writers_of_several_stores_wait_for_each_other(any_store: Store) -> None:
    url = any_store.engine.url.render_as_string(hide_password=False)

    def write(number: int) -> None:
        own = Store(url)
        for round_ in range(4):
            own.projects.remember(UID, title=f"{number} {round_}")
            own.changes.record(UID, [f"{number} {round_}"])
            own.runs.queue(UID, "button")
            own.runs.claim()
            own.refreshes.want(UID)
        own.close()

    race(write, 4)
    assert any_store.changes.count(UID) == 16
    assert any_store.projects.get(UID).refresh_wanted == 16


def test_stores_that_start_at_once_make_the_tables_once(any_store: Store) -> None:
    url = any_store.engine.url.render_as_string(hide_password=False)
    Base.metadata.drop_all(any_store.engine)

    def start(number: int) -> None:
        own = Store(url)
        own.projects.remember(f"{number + 1}.1")
        own.close()

    race(start)
    assert len(any_store.projects.all()) == RACERS


FIRST_RELEASE = {
    "projects": "uid title label_config extra_params access_token current_version revision refresh_wanted refresh_done "
    "refresh_until refresh_holder created_at",
    "changes": "project task revision",
    "annotations": "project annotation task",
    "versions": "id project number name run labels metrics verdict created_at",
    "runs": "id project reason state phase progress eta_seconds attempt documents version error queued_at started_at "
    "heartbeat_at finished_at",
}


def later_columns() -> list[tuple[str, str]]:
    """Table and name of every column that the first release did not have."""
    return [
        (table.name, column.name)
        for table in Base.metadata.sorted_tables
        if table.name in FIRST_RELEASE
        for column in table.columns
        if column.name not in FIRST_RELEASE[table.name].split()
    ]


@pytest.fixture
def old_database(any_store: Store) -> str:
    """URL of a database that the first release made: a project, a version that serves and a run."""
    any_store.versions.add(Version(project=UID, number=1, name="ner-v1", labels=["Dish"], metrics={"f1": 0.5}))
    any_store.versions.promote(UID, "ner-v1", verdict="promoted")
    any_store.runs.queue(UID, "button")
    with any_store.engine.begin() as connection:
        for table, column in later_columns():
            connection.exec_driver_sql(f"ALTER TABLE {table} DROP COLUMN {column}")
        for later in reversed([table for table in Base.metadata.sorted_tables if table.name not in FIRST_RELEASE]):
            later.drop(connection)
    return any_store.engine.url.render_as_string(hide_password=False)


def test_database_of_the_first_release_gets_what_came_later(old_database: str) -> None:
    assert ("versions", "pinned") in later_columns()
    assert {table.name for table in Base.metadata.sorted_tables} > FIRST_RELEASE.keys()
    for _ in range(2):
        store = Store(old_database)
        (version,) = store.versions.of(UID, usable=True)
        assert (version.name, version.verdict, version.pinned, version.pruned_at) == (
            "ner-v1",
            "promoted",
            False,
            None,
        )
        store.close()
    store = Store(old_database)
    run = store.runs.claim()
    assert run is not None
    assert store.runs.end(run.id, "cancelled")
    assert store.runs.get(run.id).revision == 0
    assert store.versions.pin(UID, "ner-v1", True).pinned
    assert store.reviews.count(UID) == 0
    store.close()


def test_old_database_opened_by_many_at_once_gets_each_column_once(old_database: str) -> None:
    def start(_: int) -> str | None:
        store = Store(old_database)
        try:
            return store.projects.current_version(UID)
        finally:
            store.close()

    assert race(start) == ["ner-v1"] * RACERS


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
