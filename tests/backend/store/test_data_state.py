from __future__ import annotations

from backend.store import Store
from backend.store.data_state import Annotator, DataState, Duplicate, LabelCount, LabelUse, MixedWords
from tests.backend.fakes import UID

OTHER = "8.1795221978"

STATE = DataState(
    tasks=3,
    labels=[LabelCount("Dish", 2, 1, 2)],
    annotators=[Annotator("Ann", 3)],
    empty=1,
    empty_tasks=["3"],
    unmarked_tasks=[],
    duplicate_texts=1,
    duplicates=[Duplicate("sushi", 2, ["1", "2"], True)],
    mixed_words=1,
    mixed=[MixedWords("sushi", [LabelUse("Dish", 1, ["1"]), LabelUse("Cuisine", 1, ["2"])])],
)


def test_latest_state_of_a_project_is_kept(any_store: Store) -> None:
    for uid in (UID, OTHER):
        any_store.projects.save(uid)
    assert any_store.data_states.get(UID) is None
    any_store.data_states.save(UID, "1", DataState(tasks=2))
    any_store.data_states.save(OTHER, "2", DataState(tasks=7))
    any_store.data_states.save(UID, "3", STATE)
    state, taken_at = any_store.data_states.get(UID) or (None, 0.0)
    assert state == STATE
    assert taken_at > 0
    assert any_store.data_states.get(OTHER) is not None
