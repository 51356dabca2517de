from __future__ import annotations

from sqlalchemy import update

from backend.store import Store
from backend.store.models import StartRequest
from backend.store.start_requests import WAIT_SECONDS
from tests.backend.fakes import LABEL_CONFIG, UID

OTHER = "8.1795221978"


def pass_time(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.execute(update(StartRequest).values(requested_at=StartRequest.requested_at - WAIT_SECONDS))


def test_requests_are_due_when_no_annotation_has_withdrawn_them(any_store: Store) -> None:
    any_store.projects.save(OTHER, label_config=LABEL_CONFIG)
    for uid in (UID, UID, OTHER):
        any_store.start_requests.add(uid)
    assert any_store.start_requests.take_due() == set()
    any_store.start_requests.withdraw(OTHER)
    pass_time(any_store)
    assert any_store.start_requests.take_due() == {UID}
    assert any_store.start_requests.take_due() == set()


def test_the_oldest_waiting_request_is_withdrawn(any_store: Store) -> None:
    any_store.start_requests.add(UID)
    pass_time(any_store)
    any_store.start_requests.add(UID)
    any_store.start_requests.withdraw(UID)
    any_store.start_requests.withdraw(UID)
    assert any_store.start_requests.take_due() == {UID}
    pass_time(any_store)
    assert any_store.start_requests.take_due() == set()
