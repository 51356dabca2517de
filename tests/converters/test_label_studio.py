from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import (
    ConversionReport,
    Document,
    Problem,
    Span,
    TextNotLoaded,
    iter_documents,
    read_regions,
    read_tasks,
    regions,
    spans_to_tags,
    tags_to_spans,
    task_texts,
)
from converters.label_studio import Unreadable
from label_config import Control, LabelConfig, LabelledText
from tests.converters.strategies import texts

CONFIG = LabelConfig.of_one_text(("Dish", "Location", "Rating"))
TEXT = "🍣🍕 great pizza in Naïveville"


def region(start: Any, end: Any, *labels: str, **changes: Any) -> dict[str, Any]:
    value = {"start": start, "end": end, "labels": list(labels)}
    return {"id": "a1", "from_name": "label", "to_name": "text", "type": "labels", "value": value, **changes}


def annotation(*results: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": 1,
        "completed_by": 1,
        "result": list(results),
        "was_cancelled": False,
        "ground_truth": False,
        "created_at": "2026-11-21T00:47:06.106922Z",
        "updated_at": "2026-11-21T00:47:06.106953Z",
        **changes,
    }


def task(*annotations: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": 3,
        "annotations": list(annotations),
        "drafts": [],
        "predictions": [3],
        "data": {"text": TEXT},
        "total_annotations": len(annotations),
        **changes,
    }


GREAT = region(3, 8, "Rating")
PIZZA = region(9, 14, "Dish")


def spans_of(*tasks: Any) -> list[tuple[Span, ...]]:
    return [document.spans for document in read_tasks(tasks, CONFIG)[0]]


def test_labelled_task_becomes_a_document() -> None:
    documents, report = read_tasks([task(annotation(GREAT, PIZZA))], CONFIG)
    assert documents == [Document("3", TEXT, (Span(3, 8, "Rating"), Span(9, 14, "Dish")))]
    assert (report.tasks, report.documents, report.spans, report.issues) == (1, 1, 2, [])


def test_documents_come_in_the_order_of_the_tasks() -> None:
    documents, _ = read_tasks((task(annotation(), id=number) for number in (9, 2, 5)), CONFIG)
    assert [document.id for document in documents] == ["9", "2", "5"]


def test_submitted_annotation_without_regions_is_a_negative_document() -> None:
    documents, report = read_tasks([task(annotation())], CONFIG)
    assert documents == [Document("3", TEXT)]
    assert report.negatives == 1


def test_task_without_annotations_is_counted_as_unlabeled() -> None:
    documents, report = read_tasks([task(drafts=[{"result": [GREAT]}]), task(annotations=None)], CONFIG)
    assert documents == []
    assert (report.unlabeled, report.skipped, report.issues) == (2, 0, [])


def test_skipped_task_is_counted_and_no_document() -> None:
    documents, report = read_tasks([task(annotation(GREAT, was_cancelled=True))], CONFIG)
    assert documents == []
    assert (report.unlabeled, report.skipped) == (0, 1)


def test_draft_beside_an_annotation_is_ignored() -> None:
    draft = {"id": 1, "result": [PIZZA], "created_at": "2026-11-22T00:00:00Z", "annotation": 1}
    assert spans_of(task(annotation(GREAT), drafts=[draft])) == [(Span(3, 8, "Rating"),)]


@pytest.mark.parametrize(
    ("winner", "loser"),
    [
        (
            {"ground_truth": True, "updated_at": "2020-01-01T00:00:00Z"},
            {"updated_at": "2026-01-01T00:00:00Z"},
        ),
        ({"updated_at": "2026-01-02T00:00:00Z"}, {"updated_at": "2026-01-01T00:00:00Z", "id": 9}),
        ({"updated_at": "2026-01-01T00:00:00.5Z"}, {"updated_at": "2026-01-01T00:00:00Z"}),
        ({"updated_at": "2026-01-01T01:30:00Z"}, {"updated_at": "2026-01-01T02:00:00+01:00"}),
        ({"created_at": "2026-12-01T00:00:00Z"}, {"id": 9}),
        ({"id": 2}, {"id": 1}),
        ({}, {"was_cancelled": True, "updated_at": "2027-01-01T00:00:00Z"}),
        ({}, {"updated_at": "yesterday"}),
        ({}, {"updated_at": None}),
    ],
    ids=["ground truth", "updated", "fraction", "zone", "created", "id", "cancelled", "no date", "no value"],
)
@pytest.mark.parametrize("winner_first", [True, False])
def test_one_annotation_counts(winner: dict[str, Any], loser: dict[str, Any], winner_first: bool) -> None:
    pair = [annotation(GREAT, **winner), annotation(PIZZA, **loser)]
    assert spans_of(task(*(pair if winner_first else pair[::-1]))) == [(Span(3, 8, "Rating"),)]


def test_annotations_that_gave_way_are_counted() -> None:
    _, report = read_tasks([task(annotation(GREAT), annotation(PIZZA, id=2), annotation(id=3))], CONFIG)
    assert report.superseded == 2


def test_overlapping_regions_are_left_to_the_tagging() -> None:
    outer = region(3, 14, "Dish")
    assert spans_of(task(annotation(GREAT, outer))) == [(Span(3, 8, "Rating"), Span(3, 14, "Dish"))]


def test_results_that_are_no_regions_of_the_text_are_counted_by_control() -> None:
    others = [
        {"from_name": "mood", "to_name": "text", "type": "choices", "value": {"choices": ["good"]}},
        {"type": "relation", "from_id": "a1", "to_id": "a2", "direction": "right"},
        region(0.5, 1.5, "Speech", from_name="sound", to_name="audio"),
    ]
    config = replace(CONFIG, other_objects=frozenset({"audio"}))
    documents, report = read_tasks([task(annotation(*others, GREAT))], config)
    assert documents[0].spans == (Span(3, 8, "Rating"),)
    assert report.other_controls == {"mood": 1, "": 1, "sound": 1}
    assert report.issues == []
    assert (report.regions, report.lost_regions) == (1, 0)


def test_region_of_a_renamed_control_is_read_and_named() -> None:
    documents, report = read_tasks([task(annotation(region(3, 8, "Rating", from_name="ner"), PIZZA))], CONFIG)
    assert documents[0].spans == (Span(3, 8, "Rating"), Span(9, 14, "Dish"))
    assert [(issue.problem, "'ner'" in issue.detail) for issue in report.issues] == [(Problem.RENAMED_CONTROL, True)]
    assert report.lost_regions == 0


@pytest.mark.parametrize(
    ("result", "problem", "detail"),
    [
        (region(0, 2, "Chef"), Problem.UNKNOWN_LABEL, "'Chef'"),
        (region(0, 2, "dish"), Problem.UNKNOWN_LABEL, "'dish'"),
        (region(0, 2, "Chef", from_name="ner"), Problem.UNKNOWN_LABEL, "'Chef'"),
        (region(0, 2), Problem.NO_LABEL, "[]"),
        (region(0, 2, value={"start": 0, "end": 2}), Problem.NO_LABEL, "None"),
        (region(0, 2, value={"start": 0, "end": 2, "labels": "Dish"}), Problem.NO_LABEL, "'Dish'"),
        (region(0, 2, value={"start": 0, "end": 2, "labels": [["Dish"]]}), Problem.UNKNOWN_LABEL, "['Dish']"),
    ],
)
def test_region_without_a_usable_label_is_neither_an_entity_nor_outside(
    result: Any, problem: Problem, detail: str
) -> None:
    [document], report = read_tasks([task(annotation(result, GREAT))], CONFIG)
    assert document.spans == (Span(3, 8, "Rating"),)
    assert [(span.start, span.end) for span in document.unreadable] == [(0, 2)]
    assert [(issue.problem, issue.task) for issue in report.issues] == [(problem, "3")]
    assert detail in report.issues[0].detail
    assert (report.regions, report.spans, report.lost_regions, report.negatives) == (2, 1, 1, 0)
    assert list(iter_documents([task(annotation(result, GREAT))], CONFIG, report, unreadable="leave out")) == []
    assert report.left_out == 1


@pytest.mark.parametrize(
    ("result", "problem", "detail"),
    [
        (region(None, 2, "Dish"), Problem.BAD_OFFSETS, "None to 2"),
        (region(0, "2", "Dish"), Problem.BAD_OFFSETS, "0 to '2'"),
        (region(0.5, 2, "Dish"), Problem.BAD_OFFSETS, "0.5"),
        (region(False, True, "Dish"), Problem.BAD_OFFSETS, "False to True"),
        (region(0, 2, value={"labels": ["Dish"]}), Problem.BAD_OFFSETS, "None to None"),
        (region(5, 4, "Dish"), Problem.BAD_OFFSETS, "start is after"),
        (region(0, 999, "Dish"), Problem.OUTSIDE_TEXT, f"{len(TEXT)} characters"),
        (region(-2, 2, "Dish"), Problem.OUTSIDE_TEXT, "-2 to 2"),
        (
            region(0, 2, value={"start": 0, "end": 5, "text": "pasta", "labels": ["Dish"]}),
            Problem.WRONG_OFFSETS,
            "'pasta'",
        ),
        (region(0, 2, "Dish", to_name="title"), Problem.UNKNOWN_TEXT, "'title'"),
        (region(0, 2, "Dish", to_name=["text"]), Problem.UNKNOWN_TEXT, "['text']"),
        (region(0, 2, value=None), Problem.MALFORMED, "None"),
        ("region", Problem.MALFORMED, "'region'"),
    ],
)
@pytest.mark.parametrize("unreadable", ["mask", "leave out", "keep labels"])
def test_text_with_a_region_that_may_be_anywhere_is_left_out(
    result: Any, problem: Problem, detail: str, unreadable: Unreadable
) -> None:
    report = ConversionReport()
    assert list(iter_documents([task(annotation(result, GREAT))], CONFIG, report, unreadable=unreadable)) == []
    assert [(issue.problem, issue.task) for issue in report.issues] == [(problem, "3")]
    assert detail in report.issues[0].detail
    assert (report.left_out, report.used, report.labelled, report.regions, report.lost_regions) == (1, 0, 1, 2, 2)


def test_empty_region_marks_nothing_and_spoils_nothing() -> None:
    [document], report = read_tasks([task(annotation(region(4, 4, "Dish"), GREAT))], CONFIG)
    assert (document.spans, document.unreadable) == ((Span(3, 8, "Rating"),), ())
    assert report.problems() == {Problem.EMPTY_SPAN: 1}
    assert report.lost_regions == 0


def test_same_region_twice_is_one() -> None:
    documents, report = read_tasks([task(annotation(GREAT, PIZZA, region(3, 8, "Rating", id="b")))], CONFIG)
    assert documents[0].spans == (Span(3, 8, "Rating"), Span(9, 14, "Dish"))
    assert (report.regions, report.issues) == (2, [])


@pytest.mark.parametrize("kind", [None, "Labels", "label", "textrange", "ner", ["labels"]])
@pytest.mark.parametrize("key", ["labels", "ner"])
def test_region_of_an_unusual_type_is_read_or_unreadable(kind: Any, key: str) -> None:
    unusual = region(3, 8, "Rating", type=kind)
    unusual["value"][key] = unusual["value"].pop("labels")
    documents, report = read_tasks([task(annotation(unusual, PIZZA))], CONFIG)
    read = key == "labels" or kind == "ner"
    assert [span.label for span in documents[0].spans] == (["Rating", "Dish"] if read else ["Dish"])
    assert (len(documents[0].unreadable), report.regions) == (not read, 2)


def test_results_of_a_region_besides_its_label_are_no_regions() -> None:
    place = {"start": 3, "end": 8}
    others = [
        {"from_name": "mood", "to_name": "text", "type": "choices", "value": {**place, "choices": ["good"]}},
        {"from_name": "note", "to_name": "text", "type": "textarea", "value": {**place, "text": ["x"]}},
        {"from_name": "stars", "to_name": "text", "type": "rating", "value": {**place, "rating": 4}},
    ]
    [document], report = read_tasks([task(annotation(GREAT, *others))], CONFIG)
    assert (document.spans, document.unreadable) == ((Span(3, 8, "Rating"),), ())
    assert report.issues == []


def test_skipped_task_and_ground_truth_of_old_exports_are_read() -> None:
    old = {"id": 1, "data": {"text": TEXT}}
    skipped = {"id": 1001, "skipped": True, "result": []}
    truth = {"id": 1, "honeypot": True, "result": [GREAT], "created_at": "2020-01-01T00:00:00Z"}
    later = {"id": 2, "result": [], "created_at": "2021-01-01T00:00:00Z"}
    documents, report = read_tasks([old | {"completions": [skipped]}, old | {"completions": [truth, later]}], CONFIG)
    assert [document.spans for document in documents] == [(Span(3, 8, "Rating"),)]
    assert report.skipped == 1


def test_unknown_label_is_kept_where_that_is_wanted() -> None:
    report = ConversionReport()
    tasks = [task(annotation(region(0, 2, "Chef"), GREAT))]
    [document] = iter_documents(tasks, CONFIG, report, unreadable="keep labels")
    assert document.spans == (Span(0, 2, "Chef"), Span(3, 8, "Rating"))
    assert report.problems() == {Problem.UNKNOWN_LABEL: 1}
    assert report.unknown_labels == {"Chef": 1}


def test_renamed_label_is_read_as_the_new_one_and_counted() -> None:
    config = CONFIG.with_renamed({"Chef": "Dish"})
    [document], report = read_tasks([task(annotation(region(0, 2, "Chef"), GREAT))], config)
    assert document.spans == (Span(0, 2, "Dish"), Span(3, 8, "Rating"))
    assert report.problems() == {Problem.RENAMED_LABEL: 1}
    assert report.lost_regions == 0


def test_first_label_of_several_is_taken_and_named() -> None:
    documents, report = read_tasks([task(annotation(region(9, 14, "Dish", "Rating")))], CONFIG)
    assert documents[0].spans == (Span(9, 14, "Dish"),)
    assert report.problems() == {Problem.SEVERAL_LABELS: 1}


@pytest.mark.parametrize("labels", [("Chef", "Dish"), ("Dish", "Chef")])
def test_region_with_a_known_and_an_unknown_label_is_unreadable(labels: tuple[str, ...]) -> None:
    [document], report = read_tasks([task(annotation(region(9, 14, *labels)))], CONFIG)
    assert (document.spans, len(document.unreadable)) == ((), 1)
    assert report.unknown_labels == {"Chef": 1}


@pytest.mark.parametrize("data", [{}, {"text": None}, {"text": {"a": 1}}, {"other": "a"}, None, "text", [1]])
def test_labelled_task_without_a_text_is_named(data: Any) -> None:
    documents, report = read_tasks([task(annotation(GREAT), data=data)], CONFIG)
    assert documents == []
    assert [(issue.problem, issue.task) for issue in report.issues] == [(Problem.NO_TEXT, "3")]


@pytest.mark.parametrize("broken", [4, None, "x", annotation(result=None), annotation(result={})])
def test_annotation_that_cannot_be_read_is_not_taken_for_an_empty_one(broken: Any) -> None:
    documents, report = read_tasks([task(broken)], CONFIG)
    assert documents == []
    assert report.problems() == {Problem.MALFORMED: 1}
    assert spans_of(task(broken, annotation(GREAT))) == [(Span(3, 8, "Rating"),)]


def test_task_that_is_no_object_is_named_by_its_position() -> None:
    documents, report = read_tasks([task(annotation()), "task"], CONFIG)  # type: ignore[list-item]
    assert len(documents) == 1
    assert [(issue.problem, issue.task) for issue in report.issues] == [(Problem.MALFORMED, "#2")]


def test_task_without_an_id_is_named_by_its_position() -> None:
    assert read_tasks([task(annotation(), id=None)], CONFIG)[0][0].id == "#1"


def text(name: str, *controls: Control, **options: Any) -> LabelledText:
    return LabelledText(name, f"${name}", controls, **options)


def test_spans_of_every_labels_control_of_the_text_are_read() -> None:
    config = LabelConfig((text("text", Control("label", ("Dish", "Rating")), Control("who", ("PER", "Dish"))),))
    results = [GREAT, region(9, 14, "PER", from_name="who"), region(0, 1, "PER")]
    documents, report = read_tasks([task(annotation(*results))], config)
    assert documents[0].spans == (Span(3, 8, "Rating"), Span(9, 14, "PER"), Span(0, 1, "PER"))
    assert report.issues == []


def test_label_that_only_the_task_names_is_unreadable() -> None:
    config = LabelConfig((text("text", Control("label", ("Dish",)), Control("own", (), takes_labels_from_task=True)),))
    [document], report = read_tasks([task(annotation(PIZZA, region(3, 8, "Great", from_name="own")))], config)
    assert (document.spans, document.unreadable) == ((Span(9, 14, "Dish"),), (Span(3, 8, "Great"),))
    assert report.problems() == {Problem.LABEL_FROM_TASK: 1}
    assert report.unknown_labels == {}


# Several texts

BOTH = LabelConfig(
    (
        text("title", Control("t", ("PER",))),
        text("body", Control("b", ("PER", "CITY"))),
    )
)
MAIL = {"title": "Ana writes to Bo", "body": "Bo lives in Rome"}


def region_on(to_name: str | None, words: str, label: str, **changes: Any) -> dict[str, Any]:
    start = MAIL[to_name or "body"].find(words)
    value = {"start": start, "end": start + len(words), "text": words, "labels": [label]}
    named = {} if to_name is None else {"to_name": to_name}
    return {"from_name": (to_name or "b")[0], "type": "labels", "value": value, **named, **changes}


def read_mail(*results: Any, config: LabelConfig = BOTH, **options: Any) -> tuple[list[Document], ConversionReport]:
    report = ConversionReport()
    documents = iter_documents([task(annotation(*results), data=MAIL)], config, report, **options)
    return list(documents), report


def test_each_text_with_labels_is_a_document() -> None:
    [title, body], report = read_mail(
        region_on("title", "Ana", "PER"), region_on("body", "Bo", "PER"), region_on("body", "Rome", "CITY")
    )
    assert title == Document("3", MAIL["title"], (Span(0, 3, "PER"),), text_name="title", labels=("PER",))
    assert body == Document("3", MAIL["body"], (Span(0, 2, "PER"), Span(12, 16, "CITY")), text_name="body")
    assert (title.name, body.name) == ("3:title", "3:body")
    assert (report.tasks, report.used, report.documents, report.regions, report.spans) == (1, 1, 2, 3, 3)


def test_control_of_two_texts_is_told_by_the_text_of_the_region() -> None:
    shared = Control("l", ("PER",))
    config = LabelConfig((text("title", shared), text("body", shared)))
    results = region_on("title", "Ana", "PER", from_name="l"), region_on("body", "Bo", "PER", from_name="l")
    documents, report = read_mail(*results, config=config)
    assert [document.spans for document in documents] == [(Span(0, 3, "PER"),), (Span(0, 2, "PER"),)]
    assert [document.labels for document in documents] == [None, None]
    assert report.issues == []


def test_label_of_another_text_is_unknown_here() -> None:
    [title, body], report = read_mail(region_on("title", "Ana", "CITY"))
    assert (title.spans, title.unreadable) == ((), (Span(0, 3, "CITY"),))
    assert (body.spans, body.unreadable) == ((), ())
    assert report.unknown_labels == {}
    assert report.misplaced_labels == {("CITY", "title"): 1}
    assert report.problems() == {Problem.MISPLACED_LABEL: 1}
    assert report.issues[0].detail == "'CITY' is not in the labels of 'title'"


def test_old_label_that_is_read_as_one_of_another_text_is_unknown_and_names_the_text() -> None:
    config = BOTH.with_renamed({"TOWN": "CITY"})
    [title, _], report = read_mail(region_on("title", "Ana", "TOWN"), config=config)
    assert (title.spans, title.unreadable) == ((), (Span(0, 3, "TOWN"),))
    assert report.unknown_labels == {"TOWN": 1}
    assert report.misplaced_labels == {("TOWN", "title"): 1}
    assert report.problems() == {Problem.UNKNOWN_LABEL: 1}


def test_text_with_an_unreadable_region_is_left_out_and_the_other_is_not() -> None:
    wrong = region_on("title", "Ana", "PER", value={"start": 3, "end": 6, "text": "Eva", "labels": ["PER"]})
    documents, report = read_mail(wrong, region_on("body", "Bo", "PER"))
    assert [document.text_name for document in documents] == ["body"]
    assert (report.used, report.left_out, report.regions, report.lost_regions) == (1, 1, 2, 1)


@pytest.mark.parametrize(
    ("words", "from_name", "texts"),
    [
        ("Rome", "b", ["title", "body"]),
        ("Rome", "renamed", ["title", "body"]),
        ("Ana", "both", ["title", "body"]),
        ("Eva", "both", ["title", "body"]),
        ("Bo", "both", []),
    ],
    ids=["its control", "its words", "its words, before", "in no text", "in both"],
)
def test_region_that_names_no_text_is_told_by_its_control_or_words(
    words: str, from_name: str, texts: list[str]
) -> None:
    start = 5 if words == "Bo" else max(MAIL["body"].find(words), MAIL["title"].find(words), 0)
    value = {"start": start, "end": start + len(words), "text": words, "labels": ["PER"]}
    result = {"from_name": from_name, "type": "labels", "value": value}
    documents, report = read_mail(result)
    assert [document.text_name for document in documents] == texts
    marked = [document.text[span.start : span.end] for document in documents for span in document.spans]
    assert marked == ([words] if words in ("Rome", "Ana") else [])
    assert (Problem.UNKNOWN_TEXT in report.problems()) == (words in ("Eva", "Bo"))


def test_region_on_a_text_that_was_renamed_is_told_by_its_words() -> None:
    documents, report = read_mail({**region_on("body", "Rome", "CITY"), "to_name": "content"})
    assert [document.spans for document in documents] == [(), (Span(12, 16, "CITY"),)]
    assert report.lost_regions == 0


@pytest.mark.parametrize(("words", "texts"), [("Apple", []), ("Rome", ["text"])])
def test_region_on_a_text_that_was_removed_is_not_moved_to_another(words: str, texts: list[str]) -> None:
    value = {"start": 10, "end": 10 + len(words), "text": words, "labels": ["Dish"]}
    result = {"from_name": "label", "to_name": "body", "type": "labels", "value": value}
    documents, report = read_tasks([task(annotation(result), data={"text": "Apple pie recipe"})], CONFIG)
    assert [document.spans for document in documents] == [()] * len(texts)
    assert report.problems() == {Problem.UNKNOWN_TEXT: 1}


def test_region_on_a_text_that_lost_its_labels_is_told_by_its_words() -> None:
    config = LabelConfig.from_xml(
        '<View><Labels name="label" toName="text"><Label value="PER"/></Labels><Text name="text" value="$text"/>'
        '<Text name="text2" value="$text"/><Choices name="old" toName="text"><Choice value="x"/></Choices>'
        '<Audio name="sound" value="$sound"/></View>'
    )
    value = {"start": 0, "end": 3, "text": "Ana", "labels": ["PER"]}
    for to_name, spans in [("text2", 1), ("old", 1), ("sound", 0)]:
        result = {"from_name": "label", "to_name": to_name, "type": "labels", "value": value}
        [document], report = read_tasks([task(annotation(result), data={"text": "Ana came"})], config)
        assert len(document.spans) == report.regions == spans
        assert report.other_controls == ({} if spans else {"label": 1})


@pytest.mark.parametrize("empty", ["", " \n"])
def test_empty_text_of_several_is_no_document(empty: str) -> None:
    tasks = [task(annotation(region_on("body", "Bo", "PER")), data={"title": empty, "body": MAIL["body"]})]
    documents, report = read_tasks(tasks, BOTH)
    assert [document.text_name for document in documents] == ["body"]
    assert (report.documents, report.negatives) == (1, 0)


def test_text_that_the_task_lacks_has_no_document() -> None:
    report = ConversionReport()
    tasks = [task(annotation(region_on("body", "Bo", "PER")), data={"body": MAIL["body"]})]
    [document] = iter_documents(tasks, BOTH, report)
    assert document.text_name == "body"
    assert report.issues == []
    tasks = [task(annotation(region_on("title", "Ana", "PER")), data={"body": MAIL["body"]})]
    assert len(list(iter_documents(tasks, BOTH, report))) == 1
    assert [issue.detail for issue in report.issues] == ["a region on 'title', which is empty"]


# Texts behind an address

BEHIND = LabelConfig((text("text", Control("label", ("Rating",)), is_url=True),))


def test_text_behind_an_address_is_loaded() -> None:
    loaded = {"/data/upload/1.txt": TEXT}
    tasks = [task(annotation(GREAT), data={"text": "/data/upload/1.txt"})]
    documents, report = read_tasks(tasks, BEHIND, load=loaded.__getitem__)
    assert documents == [Document("3", TEXT, (Span(3, 8, "Rating"),))]
    assert report.issues == []


def test_text_that_cannot_be_loaded_is_named_with_the_reason() -> None:
    def load(address: str) -> str:
        raise TextNotLoaded(f"{address} is away.")

    tasks = [task(annotation(GREAT), data={"text": "s3://b/1.txt"})]
    documents, report = read_tasks(tasks, BEHIND, load=load)
    assert documents == []
    assert [(issue.problem, issue.detail) for issue in report.issues] == [(Problem.NO_TEXT, "s3://b/1.txt is away.")]
    assert (report.regions, report.lost_regions) == (1, 1)
    assert read_tasks(tasks, BEHIND)[1].problems() == {Problem.NO_TEXT: 1}


ANN = {"id": 7, "email": "Ann@example.com", "first_name": "Ann"}
EARLY, LATE = {"updated_at": "2026-01-01T00:00:00Z"}, {"updated_at": "2026-01-02T00:00:00Z"}


def chosen(*annotations: Any, **options: Any) -> tuple[list[tuple[Span, ...]], ConversionReport]:
    report = ConversionReport()
    return [document.spans for document in iter_documents([task(*annotations)], CONFIG, report, **options)], report


@pytest.mark.parametrize(
    ("completed_by", "annotator"),
    [(7, 7), (7, "7"), (ANN, 7), (ANN, "7"), (ANN, "ann@example.com"), ("ann@example.com", "ANN@example.com")],
)
def test_annotator_is_told_by_id_or_address(completed_by: Any, annotator: Any) -> None:
    spans, report = chosen(
        annotation(GREAT, completed_by=completed_by, **EARLY),
        annotation(PIZZA, completed_by=8, ground_truth=True, **LATE),
        annotator=annotator,
    )
    assert spans == [(Span(3, 8, "Rating"),)]
    assert (report.other_annotators, report.superseded) == (1, 0)


def test_task_that_the_annotator_did_not_label_is_unlabeled() -> None:
    spans, report = chosen(annotation(GREAT), annotation(PIZZA, completed_by=None), annotator=9)
    assert spans == []
    assert (report.unlabeled, report.other_annotators) == (1, 2)


def test_majority_of_people_is_taken_word_by_word() -> None:
    spans, report = chosen(
        annotation(GREAT, PIZZA, completed_by=1),
        annotation(GREAT, completed_by=2, ground_truth=True),
        annotation(GREAT, region(9, 14, "Rating"), completed_by=3),
        agreement=True,
    )
    assert spans == [(Span(3, 8, "Rating"),)]
    assert (report.voted_words, report.disputed_words, report.superseded) == (6, 1, 0)


def test_everyone_has_one_vote_the_latest() -> None:
    spans, report = chosen(
        annotation(PIZZA, completed_by=ANN, **EARLY),
        annotation(GREAT, completed_by=7, **LATE),
        annotation(GREAT, completed_by=2),
        annotation(PIZZA, completed_by=3, was_cancelled=True),
        agreement=True,
    )
    assert spans == [(Span(3, 8, "Rating"),)]
    assert (report.disputed_words, report.superseded) == (0, 1)


def test_annotations_of_nobody_in_particular_are_a_vote_each() -> None:
    votes = [annotation(GREAT, completed_by=None), annotation(GREAT, completed_by=None), annotation(completed_by=None)]
    assert chosen(*votes, agreement=True)[0] == [(Span(3, 8, "Rating"),)]


def test_single_vote_is_taken_as_it_is() -> None:
    spans, report = chosen(annotation(GREAT, region(3, 14, "Dish")), agreement=True)
    assert spans == [(Span(3, 8, "Rating"), Span(3, 14, "Dish"))]
    assert report.voted_words == 0


def test_overlaps_that_have_no_vote_are_named() -> None:
    overlapping = annotation(GREAT, region(3, 14, "Dish"), region(8, 9, "Dish"), completed_by=2)
    _, report = chosen(overlapping, annotation(GREAT), agreement=True)
    assert report.problems() == {Problem.OVERLAP: 1, Problem.EMPTY_SPAN: 1}


def test_report_keeps_the_first_issues_and_counts_the_rest() -> None:
    report = ConversionReport()
    spoilt = [task(annotation(region(0, 2, "Chef")), id=number) for number in range(1500)]
    read = sum(1 for _ in iter_documents([*spoilt, task(4)], CONFIG, report))
    assert (read, len(report.issues)) == (1500, 1000)
    assert report.problems() == {Problem.UNKNOWN_LABEL: 1500, Problem.MALFORMED: 1}
    assert report.to_dict()["issues_left_out"] == 501
    assert "not in Label Studio's format 1× (task 3" in report.summary()


def test_regions_of_a_request_are_read_on_each_text() -> None:
    results = [region_on("body", "Rome", "CITY"), region_on("title", "Ana", "Mayor"), "no region"]
    assert read_regions(results, task_texts({"data": MAIL}, BOTH), BOTH) == [(), (Span(12, 16, "CITY"),)]
    assert read_regions(None, ["a", None], BOTH) == [(), ()]


@pytest.mark.parametrize("data", [{"text": 12.5}, {"text": "12.5"}])
def test_text_of_a_task_is_what_the_editor_shows(data: dict[str, Any]) -> None:
    assert task_texts({"data": data}, CONFIG) == ["12.5"]
    assert task_texts({}, CONFIG) == [None]


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-5, 50), st.floats(), st.sampled_from(["", "Dish", "x"])),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=2), inner, max_size=3)),
    max_leaves=5,
)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_no_input_raises_and_every_task_is_accounted_for(data: st.DataObject) -> None:
    def sometimes(usual: Any) -> Any:
        return data.draw(st.one_of(st.just(usual), JSON))

    value = {"start": sometimes(3), "end": sometimes(8), "labels": sometimes(["Dish"])}
    result = sometimes([sometimes(region(0, 0, value=sometimes(value), from_name=sometimes("label")))])
    moments = {
        "created_at": sometimes("2026-11-21T00:47:06Z"),
        "updated_at": sometimes("2026-11-21T00:47:06Z"),
    }
    author = sometimes({"id": sometimes(1), "email": sometimes("a@b")})
    made = annotation(result=result, id=sometimes(1), was_cancelled=sometimes(False), completed_by=author, **moments)
    made_tasks = [sometimes(task(sometimes(made), annotation(), data=sometimes({"text": sometimes(TEXT)})))]
    report = ConversionReport()
    annotator = data.draw(st.sampled_from([None, 1, "a@b"]))
    agreement = data.draw(st.booleans())
    documents = list(iter_documents(made_tasks, CONFIG, report, annotator=annotator, agreement=agreement))
    left_out = report.left_out + sum(issue.problem in (Problem.NO_TEXT, Problem.MALFORMED) for issue in report.issues)
    assert len(documents) + report.unlabeled + report.skipped + left_out >= 1 == report.tasks
    assert report.spans <= report.regions or agreement
    assert json.loads(json.dumps(report.to_dict())) == report.to_dict()


def test_report_tells_everything_as_json() -> None:
    tasks = [
        task(annotation(region(0, 2, "Chef"), region(0, 2, "Cook")), annotation(GREAT, id=0), id=1),
        task(annotation(GREAT, {"type": "relation"}), id=2),
        task(id=4),
        task(annotation(was_cancelled=True), id=5),
    ]
    assert read_tasks(tasks, CONFIG)[1].to_dict() == {
        "tasks": 4,
        "labelled": 2,
        "used": 2,
        "documents": 2,
        "negatives": 0,
        "left_out": 0,
        "regions": 3,
        "spans": 1,
        "unlabeled": 1,
        "skipped": 1,
        "superseded": 1,
        "other_annotators": 0,
        "voted_words": 0,
        "disputed_words": 0,
        "other_controls": {"": 1},
        "unknown_labels": {"Chef": 1, "Cook": 1},
        "misplaced_labels": [],
        "problems": {"unknown_label": 2},
        "issues": [
            {
                "problem": "unknown_label",
                "task": "1",
                "detail": f"'{label}' is not in the labelling configuration",
            }
            for label in ("Chef", "Cook")
        ],
        "issues_left_out": 0,
    }


def test_report_sums_up_in_one_line() -> None:
    tasks = [task(annotation(region(0, 2, "Chef"), GREAT)), task(id=4)]
    assert read_tasks(tasks, CONFIG)[1].summary() == (
        "2 tasks read, 1 text with 1 region converted, 1 not labelled; "
        "label not in the configuration 1× (task 3: 'Chef' is not in the labelling configuration); "
        "unknown labels: Chef (1)."
    )


def test_spans_become_regions_of_the_labels_control() -> None:
    result = regions(TEXT, [Span(3, 8, "Rating", 0.75), Span(9, 14, "Dish")], CONFIG.texts[0])
    ids = [region.pop("id") for region in result]
    assert len(set(ids)) == 2
    assert result == [
        {
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": 3, "end": 8, "text": "great", "labels": ["Rating"]},
            "score": 0.75,
        },
        {
            "from_name": "label",
            "to_name": "text",
            "type": "labels",
            "value": {"start": 9, "end": 14, "text": "pizza", "labels": ["Dish"]},
        },
    ]


def test_ids_of_regions_are_stable_and_unique_even_for_equal_spans() -> None:
    spans = [Span(0, 1, "Dish"), Span(0, 1, "Dish", 0.5), Span(0, 1, "Rating")]
    ids = [written["id"] for written in regions(TEXT, spans, CONFIG.texts[0])]
    assert len(set(ids)) == 3
    assert ids == [written["id"] for written in regions(TEXT, spans, CONFIG.texts[0])]
    assert all(len(name) == 10 for name in ids)


def test_label_that_the_configuration_lost_is_left_out() -> None:
    assert regions(TEXT, [Span(0, 1, "Chef")], CONFIG.texts[0]) == []


@given(st.data(), texts)
@settings(deadline=None, max_examples=200)
def test_regions_come_back_as_the_same_spans(data: st.DataObject, text: str) -> None:
    tags = data.draw(st.lists(st.sampled_from(["O", "B-Dish", "I-Dish", "B-Rating"]), min_size=40, max_size=40))
    text_words = spans_to_tags(text, []).words
    spans = tags_to_spans(text_words, tags[: len(text_words)])
    labelled = task(annotation(*regions(text, spans, CONFIG.texts[0])), data={"text": text})
    documents, report = read_tasks([labelled], CONFIG)
    assert documents == [Document("3", text, tuple(spans))]
    assert report.issues == []
