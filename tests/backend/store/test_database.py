"""The database's promises, on SQLite and, where its server is installed, on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.errors import SettingsError
from backend.store import Store
from tests.backend.fakes import UID
from tests.backend.store.races import RACERS, race


def test_concurrent_writers_of_several_stores_wait_for_each_other(any_store: Store) -> None:
    url = any_store.engine.url.render_as_string(hide_password=False)

    def write(number: int) -> None:
        own = Store(url)
        for round_ in range(4):
            own.projects.save(UID, title=f"{number} {round_}")
            own.changes.record(UID, [f"{number} {round_}"])
            own.runs.queue(UID, "button")
            own.runs.claim()
            own.syncs.request(UID)
        own.close()

    race(write, 4)
    assert any_store.changes.count(UID) == 16
    assert any_store.projects.get(UID).sync_requested == 16


def test_stores_that_start_at_once_make_the_tables_once(any_url: str) -> None:
    def start(number: int) -> None:
        own = Store(any_url)
        own.projects.save(f"{number + 1}.1")
        own.close()

    race(start)
    store = Store(any_url)
    assert len(store.projects.all()) == RACERS
    store.close()


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
