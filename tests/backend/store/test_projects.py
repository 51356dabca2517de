from __future__ import annotations

from functools import partial

import pytest
from sqlalchemy import event

from backend.errors import UnknownProject
from backend.store import Store
from tests.backend.fakes import UID
from tests.backend.store.races import race

OTHER = "8.1795221978"


def test_project_is_remembered_with_what_is_known_of_it(any_store: Store) -> None:
    any_store.projects.save(UID, extra_params={"a": 1})
    project = any_store.projects.save(UID, title="Menus", access_token=None)
    assert (project.uid, project.id, project.title, project.extra_params) == (UID, 7, "Menus", {"a": 1})
    assert any_store.projects.get(UID).title == "Menus"


def test_project_known_by_its_uid_alone_is_remembered_too(any_store: Store) -> None:
    assert any_store.projects.save(OTHER).title == ""
    assert [project.uid for project in any_store.projects.all()] == [UID, OTHER]


def test_remembering_a_project_writes_nothing_when_nothing_changed(store: Store) -> None:
    save = partial(store.projects.save, UID, label_config="<View/>", extra_params={"a": [1]})
    save(title="Menus")
    statements: list[str] = []

    @event.listens_for(store.engine, "before_cursor_execute")
    def note(connection: object, cursor: object, statement: str, *_: object) -> None:
        statements.append(statement)

    save(title="Menus")
    assert {statement.split()[0] for statement in statements} <= {"BEGIN", "SELECT"}

    save(title="Other")
    assert any(statement.startswith("INSERT") for statement in statements)


def test_project_met_by_many_threads_at_once_exists_once(any_store: Store) -> None:
    race(lambda number: any_store.projects.save(OTHER, title=f"title {number}"))
    assert [project.uid for project in any_store.projects.all()] == [UID, OTHER]


def test_unknown_project_is_named_in_the_error(any_store: Store) -> None:
    with pytest.raises(UnknownProject, match=r"'9\.1'"):
        any_store.projects.get("9.1")
