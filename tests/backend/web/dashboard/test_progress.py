from __future__ import annotations

from collections.abc import Callable

import pytest

from backend.loop import Loop
from backend.store import Store
from backend.store.data_state import Annotator, DataState, LabelCount
from backend.store.models import Version
from tests.backend.fakes import UID
from tests.backend.web.dashboard.conftest import PAGE, Lead
from tests.browser.sample_service import metrics, note_counts

DATA = DataState(
    labels=[LabelCount("Dish", 40, 4, 30), LabelCount("Price", 1200, 100, 9)],
    annotators=[Annotator("Ann Lee", 1200), Annotator("<b>Bo</b>", 30)],
)


def test_before_the_first_comparison_and_the_first_run_the_page_says_when_they_count(
    lead: Lead, registered: str
) -> None:
    page = lead.read()
    assert "How far are we A worker counts the tasks when it first compares this project with Label Studio" in page
    assert "The first run counts the examples of each label, and the tasks of each person." in page
    assert "By person" not in page


@pytest.mark.parametrize(
    ("tasks", "skipped", "labelled", "line"),
    [
        (10, 0, 0, "0 labelled 0 skipped 10 left 10 tasks in all, counted in Label Studio just now . By"),
        (1200, 3, 2, "2 labelled 3 skipped 1,195 left 1,200 tasks in all, counted in Label Studio just now . Nobody"),
        (10, 9, 3, "3 labelled 7 skipped 0 left 10 tasks in all"),
        (1, 1, 2, "2 labelled 0 skipped 0 left 2 tasks in all"),
        (0, 0, 0, "How far are we This project has no tasks yet: import some in Label Studio."),
    ],
)
def test_labelled_skipped_and_left_tasks_are_all_tasks(
    tasks: int, skipped: int, labelled: int, line: str, lead: Lead, registered: str, loop: Loop, store: Store
) -> None:
    store.annotations.remember(UID, {100 + task: task for task in range(labelled)})
    note_counts(loop, UID, tasks=tasks, skipped=skipped)
    store.data_states.save(UID, "run", DATA)
    assert line in lead.read()


def test_tasks_are_counted_while_the_page_is_open(lead: Lead, registered: str, loop: Loop) -> None:
    before = lead.get(f"{PAGE}live").get_json()
    note_counts(loop, UID, tasks=8, skipped=2)
    after = lead.get(f"{PAGE}live").get_json()
    assert after["signature"] != before["signature"]
    loop.annotations_saved(UID, {100: 1, 101: 2})
    live = lead.get(f"{PAGE}live").get_json()
    assert (live["texts"]["skipped-tasks"], live["texts"]["left-tasks"], live["texts"]["all-tasks"]) == (
        "2", "4", "8 tasks",
    )  # fmt: skip
    assert live["task-shares"] == {"labelled": 0.25, "skipped": 0.5}


def test_the_page_asks_label_studio_for_nothing(
    lead: Lead, registered: str, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    for method in ("project", "count_skipped_tasks", "skips"):
        monkeypatch.setattr(f"backend.label_studio.client.LabelStudio.{method}", None)
    note_counts(loop, UID, tasks=8)
    assert "8 tasks in all" in lead.read()


def test_labels_and_people_are_those_that_a_run_has_read(lead: Lead, registered: str, store: Store) -> None:
    store.data_states.save(UID, "run", DATA)
    page = lead.read()
    assert "2 labels have no training example yet: Cuisine Location Of the others, Dish has the fewest: 36." in page
    assert "Person Tasks Ann Lee 1,200 <b>Bo</b> 30 A run counted them just now ." in page


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (DataState(), "Label Studio does not say who labelled these tasks."),
        (DataState(annotators=DATA.annotators, more_annotators=1), "1 more person labelled fewer tasks."),
        (DataState(annotators=DATA.annotators, more_annotators=7), "7 more people labelled fewer tasks."),
        (DataState(annotators=DATA.annotators, shared=1), "1 task was labelled by several people and counts for"),
        (DataState(annotators=DATA.annotators, shared=2), "2 tasks were labelled by several people and count for"),
    ],
)
def test_people_who_are_not_listed_are_mentioned(
    state: DataState, sentence: str, lead: Lead, registered: str, store: Store
) -> None:
    store.data_states.save(UID, "run", state)
    assert sentence in lead.read()


def test_the_table_of_labels_has_examples_and_the_change_of_f1(
    lead: Lead, publish: Callable[..., Version], store: Store
) -> None:
    publish("ner-v1", metrics=metrics(0.7, 60), scored_in="r")
    publish("ner-v2", metrics=metrics(0.8, 60), scored_in="r")
    assert "Label F1 Against ner-v1 Held out 95 % interval Precision Recall Price 0.710 +0.100 17" in lead.read()
    store.data_states.save(UID, "run", DATA)
    page = lead.read()
    assert (
        "Label F1 Against ner-v1 Examples Held out 95 % interval Precision Recall Price 0.710 +0.100 1,100 17" in page
    )
    assert "Hours found 6 of 9, 4 wrong ner-v1: found 5 of 9, 5 wrong 0 9" in page
