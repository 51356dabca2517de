"""Which entities of held-out tasks a comparison of versions lists, in which order, and how large it becomes."""

from __future__ import annotations

import json

import pytest

from backend.evaluation import comparison
from backend.evaluation.comparison import MAX_BYTES, MAX_ENTITIES, disagreements, to_rows
from converters.document import Document, Span
from converters.tagged import TaggedDocument, tag_document

WORDS = ("spicy", "ramen", "in", "Rome")
TEXT = " ".join(WORDS)
DISH, WIDER, CITY = Span(6, 11, "Dish"), Span(0, 11, "Dish"), Span(15, 19, "City")
TAGS = {
    (): ("O", "O", "O", "O"),
    (DISH,): ("O", "B-Dish", "O", "O"),
    (WIDER,): ("B-Dish", "I-Dish", "O", "O"),
    (CITY,): ("O", "O", "O", "B-City"),
    (DISH, CITY): ("O", "B-Dish", "O", "B-City"),
}


def document(task: str, *spans: Span, text: str = TEXT) -> TaggedDocument:
    return tag_document(Document(task, text, spans))


def test_entities_are_those_that_some_versions_mark_and_others_do_not() -> None:
    tags = {"ner-v2": [TAGS[DISH, CITY]], "ner-v1": [TAGS[WIDER,]]}
    entities, more = disagreements([document("7", DISH, CITY)], tags)
    assert more == 0
    assert {(entity.start, entity.end, entity.label, entity.given, *entity.versions) for entity in entities} == {
        (6, 11, "Dish", True, 0),
        (0, 11, "Dish", False, 1),
        (15, 19, "City", True, 0),
    }


def test_entity_has_its_task_and_the_text_around_it() -> None:
    text = "x" * 60 + " ramen " + "y" * 60
    tags = {"ner-v2": [("O", "B-Dish", "O")], "ner-v1": [("O", "O", "O")]}
    [entity], _ = disagreements([document("7", Span(61, 66, "Dish"), text=text)], tags)
    assert (entity.task, entity.before, entity.text, entity.after) == ("7", "x" * 39 + " ", "ramen", " " + "y" * 39)


@pytest.mark.parametrize("spans", [(), (DISH,), (DISH, CITY)])
def test_what_all_versions_mark_alike_is_left_out(spans: tuple[Span, ...]) -> None:
    tags = {"ner-v2": [TAGS[spans]], "ner-v1": [TAGS[spans]]}
    assert disagreements([document("7", DISH)], tags) == ([], 0)


def test_one_version_alone_disagrees_with_nobody() -> None:
    assert disagreements([document("7", DISH)], {"ner-v1": [TAGS[CITY,]]}) == ([], 0)


def test_words_that_nobody_can_judge_are_left_out() -> None:
    overlapping = document("7", WIDER, Span(6, 19, "City"))  # what is only in the shorter region, "spicy", has no tag
    tags = {"ner-v2": [("B-Dish", "B-City", "I-City", "I-City")], "ner-v1": [TAGS[()]]}
    entities, _ = disagreements([overlapping], tags)
    assert [(entity.label, entity.text) for entity in entities] == [("City", "ramen in Rome")]


def test_disagreements_of_the_first_versions_come_first_then_those_of_earlier_tasks() -> None:
    documents = [document(task, DISH) for task in "123"]
    alike, different = TAGS[DISH,], TAGS[()]
    tags = {
        "ner-v3": [alike, alike, alike],
        "ner-v2": [alike, different, different],
        "ner-v1": [different, alike, alike],
    }
    entities, _ = disagreements(documents, tags)
    assert [entity.task for entity in entities] == ["2", "3", "1"]


def test_number_of_entities_is_bounded_and_the_rest_is_counted() -> None:
    documents = [document(str(number), DISH) for number in range(MAX_ENTITIES + 7)]
    tags = {"ner-v2": [TAGS[DISH,]] * len(documents), "ner-v1": [TAGS[()]] * len(documents)}
    entities, more = disagreements(documents, tags)
    assert (len(entities), more) == (MAX_ENTITIES, 7)


@pytest.mark.parametrize("letter", ["x", "я", "𝔘"])
def test_size_is_bounded_also_for_long_entities_in_any_script(letter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MAX_BYTES", 50_000)
    text = letter * 5_000
    documents = [document(str(number), Span(0, 5_000, "Dish"), text=text) for number in range(300)]
    tags = {"ner-v2": [("B-Dish",)] * 300, "ner-v1": [("O",)] * 300}
    entities, more = disagreements(documents, tags)
    assert 10 < len(entities) == 300 - more
    assert len(json.dumps(to_rows(entities))) <= 50_000 < MAX_BYTES
    assert entities[0].text == f"{letter * 100} … {letter * 100}"
