from __future__ import annotations

from backend.store import Store
from tests.backend.fakes import UID

OTHER = "8.1795221978"


def test_deleted_annotations_name_the_tasks_that_are_known(any_store: Store) -> None:
    any_store.annotations.remember(UID, {10: 1, 11: 1, 12: 2})
    any_store.annotations.remember(UID, {10: 1})
    assert any_store.annotations.forget(UID, [10, 12, 99]) == {10: 1, 12: 2}
    assert any_store.annotations.of(UID) == {11: 1}
    assert any_store.annotations.forget(UID, [10]) == {}


def test_replaced_annotations_are_all_that_is_known(any_store: Store) -> None:
    any_store.projects.save(OTHER)
    any_store.annotations.remember(OTHER, {1: 1})
    any_store.annotations.remember(UID, {1: 1, 2: 2})
    any_store.annotations.replace(UID, {2: 2, 3: 3})
    assert any_store.annotations.of(UID) == {2: 2, 3: 3}
    any_store.annotations.replace(UID, {})
    assert any_store.annotations.of(UID) == {}
    assert any_store.annotations.of(OTHER) == {1: 1}


def test_forty_thousand_annotations_are_one_call(any_store: Store) -> None:
    many = {number: number % 7 for number in range(40_000)}
    any_store.annotations.replace(UID, many)
    assert any_store.annotations.of(UID) == many
    assert any_store.annotations.forget(UID, list(many)) == many


def test_ids_beyond_32_bits_are_stored(any_store: Store) -> None:
    any_store.annotations.remember(UID, {2**40: 2**41})
    assert any_store.annotations.of(UID) == {2**40: 2**41}
