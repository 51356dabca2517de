from __future__ import annotations

import pytest

from backend.errors import UnknownProject
from backend.store import Store
from tests.backend.fakes import UID


def test_sync_is_pending_until_the_latest_request_is_completed(any_store: Store) -> None:
    assert any_store.syncs.pending(UID) is None
    any_store.syncs.request(UID)
    request = any_store.syncs.pending(UID)
    any_store.syncs.request(UID)
    assert request == 1
    any_store.syncs.complete(UID, request)
    assert any_store.syncs.pending(UID) == 2
    any_store.syncs.complete(UID, 2)
    assert any_store.syncs.pending(UID) is None


def test_unknown_project_has_no_syncs(any_store: Store) -> None:
    with pytest.raises(UnknownProject):
        any_store.syncs.pending("9.1")
