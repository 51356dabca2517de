from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy.exc import OperationalError

from backend.store import Store
from backend.store.lease import Lease
from tests.backend.fakes import UID
from tests.backend.store.races import lapse, race


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.01)


# Rows


def test_one_of_many_processes_gets_a_lease(any_store: Store) -> None:
    acquired = race(lambda number: any_store.leases.acquire("sync", UID, str(number)))
    assert sum(acquired) == 1
    holder = str(acquired.index(True))
    assert any_store.leases.acquire("sync", UID, holder)
    assert any_store.leases.renew("sync", UID, holder)
    assert not any_store.leases.acquire("sync", UID, "another")
    assert not any_store.leases.renew("sync", UID, "another")


def test_released_lease_is_free(any_store: Store) -> None:
    assert any_store.leases.acquire("sync", UID, "first")
    any_store.leases.release("sync", UID, "another")
    assert not any_store.leases.acquire("sync", UID, "another")
    any_store.leases.release("sync", UID, "first")
    assert any_store.leases.acquire("sync", UID, "another")
    assert not any_store.leases.renew("sync", UID, "first")


def test_leases_of_other_work_are_independent(any_store: Store) -> None:
    assert any_store.leases.acquire("sync", UID, "first")
    assert any_store.leases.acquire("sync", "8.1795221978", "another")
    assert any_store.leases.acquire("review", UID, "another")


def test_lease_of_a_dead_process_lapses(any_store: Store) -> None:
    assert any_store.leases.acquire("sync", UID, "dead")
    assert any_store.leases.renewed_at("sync", UID) is not None
    lapse(any_store)
    assert any_store.leases.renewed_at("sync", UID) is None
    assert any_store.leases.acquire("sync", UID, "another")
    assert not any_store.leases.renew("sync", UID, "dead")


def test_lapsed_lease_that_nobody_took_is_renewed(any_store: Store) -> None:
    assert any_store.leases.acquire("sync", UID, "slow")
    lapse(any_store)
    assert any_store.leases.renew("sync", UID, "slow")
    assert not any_store.leases.acquire("sync", UID, "another")


# One process's lease


@pytest.fixture
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.store.lease.LEASE_SECONDS", 5.0)
    monkeypatch.setattr("backend.store.lease.RENEW_SECONDS", 0.02)


@pytest.mark.usefixtures("_short")
def test_lease_is_renewed_while_its_process_lives(store: Store) -> None:
    with Lease(store.leases, "sync", UID) as lease:
        assert lease.acquire()
        first = store.leases.renewed_at("sync", UID)
        assert first is not None
        wait_until(lambda: (store.leases.renewed_at("sync", UID) or 0.0) > first + 0.1)
        assert not Lease(store.leases, "sync", UID).acquire()
        assert lease.renew()
    with Lease(store.leases, "sync", UID) as following:
        assert following.acquire()


@pytest.mark.usefixtures("_short")
def test_lost_lease_stays_lost(store: Store) -> None:
    with Lease(store.leases, "sync", UID) as lease:
        assert lease.acquire()
        lapse_until_taken(store)
        wait_until(lambda: lease.lost)
        store.leases.release("sync", UID, "another")
        assert not lease.renew()
    assert store.leases.acquire("sync", UID, "a third one")


def lapse_until_taken(store: Store) -> None:
    """Take the lease over from its holder, which may renew it at any moment."""

    def take() -> bool:
        lapse(store)
        return store.leases.acquire("sync", UID, "another")

    wait_until(take)


@pytest.mark.usefixtures("_short")
def test_database_that_is_away_for_a_moment_costs_no_lease(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = threading.Event()

    def locked(*_: object) -> bool:
        tried.set()
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    with Lease(store.leases, "sync", UID) as lease:
        assert lease.acquire()
        with monkeypatch.context() as away:
            away.setattr(store.leases, "renew", locked)
            assert tried.wait(20)
        assert lease.renew()


@pytest.mark.usefixtures("_short")
def test_lease_that_is_left_to_lapse_is_not_free_at_once(store: Store) -> None:
    lease = Lease(store.leases, "sync", UID)
    assert lease.acquire()
    lease.stop_renewing()
    assert not Lease(store.leases, "sync", UID).acquire()
    lapse(store)
    with Lease(store.leases, "sync", UID) as following:
        assert following.acquire()
