from __future__ import annotations

from backend.store import Store
from tests.backend.fakes import UID
from tests.backend.store.races import race


def test_refresh_is_due_until_the_latest_request_is_served(any_store: Store) -> None:
    assert any_store.refreshes.due(UID) is None
    any_store.refreshes.want(UID)
    request = any_store.refreshes.due(UID)
    any_store.refreshes.want(UID)
    assert request == 1
    any_store.refreshes.served(UID, request)
    assert any_store.refreshes.due(UID) == 2
    any_store.refreshes.served(UID, 2)
    assert any_store.refreshes.due(UID) is None


def test_one_holder_refreshes_at_a_time(any_store: Store) -> None:
    held = race(lambda number: any_store.refreshes.hold(UID, seconds=60, holder=str(number)))
    assert sum(held) == 1
    holder = str(held.index(True))
    assert any_store.refreshes.hold(UID, seconds=60, holder=holder)
    assert not any_store.refreshes.hold(UID, seconds=0, holder="other")
    assert any_store.refreshes.hold(UID, seconds=0, holder=holder)
    assert any_store.refreshes.hold(UID, seconds=60, holder="other")


def test_hold_of_a_dead_refresh_lapses(any_store: Store) -> None:
    assert any_store.refreshes.hold(UID, seconds=-1, holder="dead")
    assert any_store.refreshes.hold(UID, seconds=60, holder="other")
    assert not any_store.refreshes.hold(UID, seconds=60, holder="dead")


def test_unknown_project_has_no_refresh_to_hold(any_store: Store) -> None:
    assert not any_store.refreshes.hold("9.1", seconds=60, holder="me")
