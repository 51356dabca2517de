from __future__ import annotations

import time

import pytest
from sqlalchemy import text

from backend.settings import Settings
from backend.store import Store
from backend.worker import work


def test_worker_is_counted_while_it_runs(settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []
    monkeypatch.setattr("backend.worker.Consumer.run", lambda _: counts.append(store.leases.held("worker")))
    for _ in range(2):
        work(settings)
        assert store.leases.held("worker") == 0
    assert counts == [1, 1]


def test_lease_of_a_dead_worker_lapses_and_is_removed(store: Store) -> None:
    store.leases.acquire("worker", "dead", "dead")
    store.leases.acquire("worker", "alive", "alive")
    with store._database.write() as session:
        session.execute(text("UPDATE leases SET expires_at = :now WHERE key = 'dead'"), {"now": time.time() - 1})
    assert store.leases.held("worker") == 1
    store.leases.forget_lapsed("worker")
    with store._database.read() as session:
        assert session.scalars(text("SELECT key FROM leases")).all() == ["alive"]
