from __future__ import annotations

import threading

import pytest
from sqlalchemy.exc import OperationalError

from backend.store import Store
from backend.store.lease import Turn
from tests.backend.fakes import LABEL_CONFIG, UID


@pytest.fixture
def met(store: Store) -> str:
    return store.projects.remember(UID, title="Restaurants", label_config=LABEL_CONFIG).uid


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.store.lease.HOLD_SECONDS", 0.4)
    monkeypatch.setattr("backend.store.lease.RENEW_SECONDS", 0.05)


@pytest.mark.usefixtures("_short")
def test_turn_is_kept_while_its_process_lives(store: Store, met: str) -> None:
    with Turn(store, met) as turn:
        assert turn.take()
        threading.Event().wait(1.0)
        assert not Turn(store, met).take()
        assert turn.held()
    with Turn(store, met) as following:
        assert following.take()


@pytest.mark.usefixtures("_short")
def test_lost_turn_stays_lost(store: Store, met: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Turn(store, met) as turn:
        assert turn.take()
        with monkeypatch.context() as suspended:
            suspended.setattr(turn, "_hold", lambda seconds: True)  # as if nothing reached the database
            threading.Event().wait(0.6)
            assert store.refreshes.hold(met, seconds=0.1, holder="another")
        assert not turn.held()
        threading.Event().wait(0.3)
        assert not turn.held()


@pytest.mark.usefixtures("_short")
def test_database_that_does_not_answer_costs_no_turn(store: Store, met: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Turn(store, met) as turn:
        assert turn.take()

        def locked(seconds: float) -> bool:
            raise OperationalError("UPDATE", {}, Exception("database is locked"))

        with monkeypatch.context() as unreachable:
            unreachable.setattr(turn, "_hold", locked)
            threading.Event().wait(0.15)
        assert turn.held()


def test_unknown_project_has_no_turn(store: Store) -> None:
    with Turn(store, "9.1") as turn:
        assert not turn.take()
