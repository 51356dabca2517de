from __future__ import annotations

import json
from collections.abc import Sequence

import pytest

from backend.store.data_state import Annotator, DataState, Duplicate, LabelCount, LabelUse, MixedWords
from backend.training import data_state as module
from backend.training.data_state import data_state
from backend.training.split import subset_of
from converters.document import Document, Span
from converters.tagged import tag_document

HELD_OUT = next(str(task) for task in range(1, 1000) if subset_of(str(task)) == "test")
VALIDATION = next(str(task) for task in range(1, 1000) if subset_of(str(task)) == "validation")
TRAINED = [str(task) for task in range(1, 1000) if subset_of(str(task)) == "train"]


def document(task: str, text: str, *marked: str, name: str = "") -> Document:
    """A document with regions such as ``"rome=City"``, each on the first place of its words."""
    pairs = [region.rpartition("=")[::2] for region in marked]
    spans = [Span(text.index(words), text.index(words) + len(words), label) for words, label in pairs]
    return Document(task, text, tuple(spans), text_name=name)


def state(*documents: Document, annotators: dict[str, tuple[str, ...]] | None = None) -> DataState:
    return data_state(map(tag_document, documents), annotators or {})


def uses(words: str, *labels: str) -> list[Document]:
    """A task for each label that the same words have."""
    return [document(f"{words}-{number}", words, f"{words}={label}") for number, label in enumerate(labels)]


def test_project_without_labelled_tasks_has_an_empty_state() -> None:
    assert json.dumps(state().to_dict()) == json.dumps(DataState().to_dict())


def test_labels_are_counted_by_regions_tasks_and_held_out_regions() -> None:
    counted = state(
        document(HELD_OUT, "sushi in rome", "sushi=Dish", "rome=City"),
        document(TRAINED[0], "sushi or pizza", "sushi=Dish", "pizza=Dish"),
        document(VALIDATION, "pizza", "pizza=Dish"),
    )
    assert counted.tasks == 3
    assert counted.labels == [LabelCount("Dish", 4, 1, 3), LabelCount("City", 1, 1, 1)]


def test_only_regions_that_are_learnt_are_counted() -> None:
    overlapping = document(TRAINED[0], "new york pizza", "new york pizza=Dish", "new york=City")
    assert state(overlapping).labels == [LabelCount("Dish", 1, 0, 1)]


def test_annotators_are_counted_by_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANNOTATORS", 2)
    counted = state(annotators={"1": ("Ann",), "2": ("user 3", "Ann"), "3": ("Ann", "user 3"), "4": ("Bo",)})
    assert counted.annotators == [Annotator("Ann", 3), Annotator("user 3", 2)]
    assert (counted.more_annotators, counted.shared) == (1, 2)


def test_tasks_without_text_and_texts_without_regions_are_told_apart() -> None:
    unreadable = Document("4", "a text", unreadable=(Span(0, 1, "Old"),))
    counted = state(document("1", " \n"), document("2", "hello"), document("3", "rome", "rome=City"), unreadable)
    assert (counted.empty, counted.empty_tasks) == (1, ["1"])
    assert (counted.unmarked, counted.unmarked_tasks) == (1, ["2"])


def test_examples_are_bounded_and_counts_are_not() -> None:
    counted = state(
        *(document(f"e{number}", "") for number in range(30)),
        *(document(f"d{number}", f"text {number // 2}") for number in range(60)),
        *(task for number in range(30) for task in uses(f"words{number}", "City", "Dish")),
    )
    assert (counted.empty, counted.unmarked, counted.duplicate_texts, counted.mixed_words) == (30, 60, 60, 30)
    lists: Sequence[Sequence[object]] = (
        counted.empty_tasks,
        counted.unmarked_tasks,
        counted.duplicates,
        counted.mixed,
    )
    assert [len(examples) for examples in lists] == [20] * 4


# Duplicates


@pytest.mark.parametrize(
    ("first", "second", "differs"),
    [
        (document("1", "eat in rome", "rome=City"), document("2", "eat in rome", "rome=City"), False),
        (document("1", "eat in rome", "rome=City"), document("2", "\n eat in rome ", "rome=City"), False),
        (document("1", "eat in rome", "rome=City"), document("2", "eat in rome", "rome=Cuisine"), True),
        (document("1", "eat in rome", "rome=City"), document("2", "eat in rome", "in rome=City"), True),
        (document("1", "eat in rome", "rome=City"), document("2", "eat in rome"), True),
    ],
)
def test_tasks_with_the_same_text_are_duplicates(first: Document, second: Document, differs: bool) -> None:
    counted = state(first, second, document("3", "Eat in rome", "rome=City"))
    assert counted.duplicates == [Duplicate("eat in rome", 2, ["1", "2"], differs)]
    assert (counted.duplicate_texts, counted.duplicate_tasks, counted.differing_texts) == (1, 2, int(differs))


def test_duplicates_that_are_labelled_differently_come_first() -> None:
    counted = state(
        *(document(f"a{number}", "thai", "thai=Cuisine") for number in range(3)),
        *(document(f"b{number}", "rome", "rome=City") for number in range(4)),
        *uses("lunch", "Hours", "Dish"),
    )
    assert [duplicate.excerpt for duplicate in counted.duplicates] == ["lunch", "rome", "thai"]


def test_task_with_several_texts_is_a_duplicate_only_if_all_are_the_same() -> None:
    counted = state(
        *(document("1", "Re: table", name="subject"), document("1", "at noon", name="body")),
        *(document("2", "Re: table", name="subject"), document("2", "at eight", name="body")),
        *(document("3", "Re: table", name="subject"), document("3", "at noon", name="body")),
    )
    assert counted.tasks == 3
    assert [duplicate.tasks for duplicate in counted.duplicates] == [["1", "3"]]


def test_empty_tasks_are_no_duplicates() -> None:
    assert state(document("1", ""), document("2", "")).duplicate_texts == 0


@pytest.mark.parametrize(
    ("tasks", "leaked"),
    [
        ((HELD_OUT, TRAINED[0]), 1),
        ((TRAINED[0], TRAINED[1], HELD_OUT), 1),
        ((HELD_OUT, VALIDATION), 0),
        ((TRAINED[0], TRAINED[1]), 0),
    ],
)
def test_held_out_tasks_whose_text_is_trained_on_are_counted(tasks: tuple[str, ...], leaked: int) -> None:
    counted = state(*(document(task, "the same") for task in tasks))
    assert (counted.duplicate_tasks, counted.leaked) == (len(tasks), leaked)


# The same words with different labels


def test_same_words_with_different_labels_are_listed_with_their_tasks() -> None:
    counted = state(
        document("1", "eat in Rome", "Rome=City"),
        document("2", "rome", "rome=City"),
        document("3", "food from rome", "rome=Cuisine"),
        document("4", "pizza", "pizza=Dish"),
        document("5", "pizza please", "pizza=Dish"),
    )
    assert counted.mixed == [MixedWords("Rome", [LabelUse("City", 2, ["1", "2"]), LabelUse("Cuisine", 1, ["3"])])]
    assert counted.mixed_words == 1


@pytest.mark.parametrize("text", ["new  york", "NEW YORK", "new\nyork"])
def test_case_and_white_space_make_no_other_words(text: str) -> None:
    assert state(document("1", "new york", "new york=City"), document("2", text, f"{text}=State")).mixed_words == 1


def test_words_of_texts_with_different_names_are_not_compared() -> None:
    subject, body = document("1", "rome", "rome=City", name="subject"), document("1", "rome", "rome=Place", name="body")
    assert state(subject, body).mixed_words == 0


def test_rare_uses_among_many_come_first_and_even_ones_last() -> None:
    counted = state(
        *uses("even", *["City"] * 5, *["Dish"] * 5),
        *uses("once each", "City", "Dish"),
        *uses("often", *["City"] * 30, "Dish"),
        *uses("several", *["City"] * 12, *["Dish"] * 2),
        *uses("third label", *["City"] * 20, *["Cuisine"] * 20, "Dish"),
        *uses("seldom", *["City"] * 6, "Dish"),
    )
    assert [words.words for words in counted.mixed] == [
        "third label",
        "often",
        "seldom",
        "several",
        "once each",
        "even",
    ]


def test_tasks_of_a_use_are_bounded_and_listed_once() -> None:
    in_one_task = Document("1", "rome rome", (Span(0, 4, "City"), Span(5, 9, "City")))
    counted = state(in_one_task, *uses("rome", *["City"] * 10, "Dish"))
    city = counted.mixed[0].uses[0]
    assert (city.count, list(city.tasks)) == (12, ["1", "rome-0", "rome-1", "rome-2", "rome-3"])


# Storing


def test_state_with_long_texts_and_lone_surrogates_is_short_and_encodable() -> None:
    text = "\ud800 " + "long " * 100
    counted = state(
        *(document(str(task), text, f"{text.strip()}={label}") for task, label in enumerate(("City", "Dish"))),
        annotators={"0": ("\udfff",)},
    )
    assert len(counted.duplicates[0].excerpt) < 80
    assert len(counted.mixed[0].words) < 80
    json.dumps(counted.to_dict(), ensure_ascii=False).encode()


def test_state_is_read_as_it_was_written() -> None:
    counted = state(
        *uses("rome", "City", "Dish"), document("9", ""), document("10", "hello"), annotators={"9": ("Ann", "Bo")}
    )
    again = DataState.from_dict(json.loads(json.dumps(counted.to_dict())))
    assert again == counted
