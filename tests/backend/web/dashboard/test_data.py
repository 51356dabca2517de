"""The section "State of the data"."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from backend.store import Store
from backend.store.data_state import DataState, Duplicate, LabelUse, MixedWords
from tests.backend.fakes import UID
from tests.backend.web.dashboard.conftest import Lead, plain

CLEAN = DataState(tasks=600)
MIXED = MixedWords("rome", [LabelUse("City", 12, ["1", "2", "3", "4", "5"]), LabelUse("Cuisine", 2, ["8", "9"])])
EVEN = MixedWords("thai", [LabelUse("Cuisine", 1, ["6"]), LabelUse("Dish", 1, ["7"])])
DUPLICATE = Duplicate("sushi in rome", 2, ["1", "2"], False)


def markup(lead: Lead) -> str:
    section = re.search(r'<section [^>]*id="data".*?</section>', lead.get().text, re.DOTALL)
    assert section
    return section[0]


def shown(lead: Lead, store: Store, state: DataState) -> str:
    """The text of the section, without what screen readers get besides."""
    store.data_states.save(UID, "run", state)
    visible = re.sub(r'<span class="visually-hidden">.*?</span>', "", markup(lead))
    return re.sub(r" (?=[,.:;])", "", plain(visible))


def test_before_the_first_run_the_section_says_what_it_will_show(lead: Lead, registered: str, store: Store) -> None:
    assert "The first run looks for tasks without text" in plain(markup(lead))
    store.runs.queue(UID, "button")
    assert "The next run looks for tasks without text" in plain(markup(lead))


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (DataState(), "A run read the labels just now and found no labelled task."),
        (
            CLEAN,
            "A run read 600 labelled tasks just now: each has a text of its own with at least one region, and the same "
            "words always have the same label.",
        ),
    ],
)
def test_data_without_a_fault_is_one_sentence(
    lead: Lead, registered: str, store: Store, state: DataState, sentence: str
) -> None:
    assert shown(lead, store, state) == f"State of the data {sentence}"


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (
            replace(CLEAN, empty=1, empty_tasks=["4"]),
            "1 labelled task has no text, so nothing can be learnt from it: 4",
        ),
        (
            replace(CLEAN, empty=3, empty_tasks=["4", "5"]),
            "3 labelled tasks have no text, so nothing can be learnt from them: 4, 5, …",
        ),
        (
            replace(CLEAN, unmarked=1, unmarked_tasks=["4"]),
            "In 1 labelled task nothing is marked, and the model learns to mark nothing in such texts. Check that no "
            "entity was overlooked: 4",
        ),
        (
            replace(CLEAN, unmarked=2000, unmarked_tasks=["4", "5"]),
            "In 2,000 labelled tasks nothing is marked, and the model learns to mark nothing in such texts. Check that "
            "no entity was overlooked: 4, 5, …",
        ),
        (
            replace(CLEAN, duplicate_texts=1, duplicate_tasks=2, duplicates=[DUPLICATE]),
            "1 text occurs in 2 tasks. sushi in rome in tasks 1, 2",
        ),
        (
            replace(CLEAN, duplicate_texts=1, duplicate_tasks=2, differing_texts=1, leaked=1,
                    duplicates=[replace(DUPLICATE, differs=True)]),
            "1 text occurs in 2 tasks; it is labelled differently from task to task. 1 held-out task has a text that "
            "is also trained on, so F1 may be too high. sushi in rome labelled differently in tasks 1, 2",
        ),
        (
            replace(CLEAN, duplicate_texts=9, duplicate_tasks=1020, differing_texts=2, leaked=3,
                    duplicates=[DUPLICATE]),
            "9 texts occur in 1,020 tasks; 2 of these texts are labelled differently from task to task. 3 held-out "
            "tasks have a text that is also trained on, so F1 may be too high.",
        ),
        (
            replace(CLEAN, mixed_words=1, mixed=[MIXED]),
            "1 word or phrase has more than one label. rome City 12 × Cuisine 2 × in tasks 8, 9",
        ),
        (
            replace(CLEAN, mixed_words=40, mixed=[EVEN]),
            "40 words or phrases have more than one label. The first ones are the most probable mistakes: one of their "
            "labels is rare for these words. thai Cuisine 1 × in task 6 Dish 1 × in task 7",
        ),
    ],
)  # fmt: skip
def test_faults_are_counted_and_their_tasks_named(
    lead: Lead, registered: str, store: Store, state: DataState, sentence: str
) -> None:
    page = shown(lead, store, state)
    assert sentence in page
    assert "each has a text of its own" not in page


def test_only_what_is_wrong_has_a_heading(lead: Lead, registered: str, store: Store) -> None:
    store.data_states.save(UID, "run", replace(CLEAN, empty=1, empty_tasks=["4"]))
    assert re.findall(r"<h3>(.*?)</h3>", markup(lead)) == ["Tasks without text"]


@pytest.mark.parametrize(
    ("listed", "count", "summary"), [(5, 5, []), (7, 7, ["2 more"]), (20, 900, ["15 more (900 in all)"])]
)
def test_long_lists_are_folded(
    lead: Lead, registered: str, store: Store, listed: int, count: int, summary: list[str]
) -> None:
    rows = [replace(EVEN, words=f"words {number}") for number in range(listed)]
    store.data_states.save(UID, "run", replace(CLEAN, mixed_words=count, mixed=rows))
    assert re.findall(r"<summary>(.*?)</summary>", markup(lead)) == summary
    assert markup(lead).count('<p class="strong" dir="auto">') == listed


def test_tasks_are_links_and_texts_of_people_are_escaped_with_their_own_direction(
    lead: Lead, registered: str, store: Store
) -> None:
    text = "<script>alert(1)</script>"
    mixed, duplicate = replace(MIXED, words=text), replace(DUPLICATE, excerpt=text)
    faults = replace(CLEAN, mixed_words=1, mixed=[mixed], duplicate_texts=1, duplicate_tasks=2, duplicates=[duplicate])
    store.data_states.save(UID, "run", faults)
    section = markup(lead)
    assert 'href="http://localhost:8080/projects/7/data?task=8"' in section
    assert '<p class="strong" dir="auto">&lt;script&gt;' in section
    assert '<p dir="auto">&lt;script&gt;' in section
    assert "<script" not in section
