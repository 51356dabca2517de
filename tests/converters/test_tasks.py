from __future__ import annotations

import io
import json
import tracemalloc
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters import (
    ConversionReport,
    Document,
    Problem,
    Span,
    annotation_task,
    iter_documents,
    load_tasks,
    prediction_task,
    regions,
    task_regions,
    write_tasks,
)
from label_config import Control, LabelConfig, LabelledText
from tests.converters.strategies import clean_spans, texts
from tests.converters.strategies import labels as any_label

CONFIG = LabelConfig.of_one_text(("Dish", "Rating"))
TWO = LabelConfig((LabelledText("text", "$a.b", (Control("label", ("Dish",)), Control("who", ("PER",)))),))
DOCUMENT = Document("7", "great pizza", (Span(0, 5, "Rating", 0.25), Span(6, 11, "Dish")))


def read(tasks: list[Any], config: LabelConfig = CONFIG) -> list[Document]:
    report = ConversionReport()
    documents = list(iter_documents(tasks, config, report))
    assert report.issues == []
    return documents


def test_prediction_task_has_text_source_version_and_scores() -> None:
    task = prediction_task(DOCUMENT, CONFIG, model_version="ner-v1", score=0.5)
    assert task == {
        "data": {"text": "great pizza"},
        "meta": {"source_id": "7"},
        "predictions": [
            {"model_version": "ner-v1", "score": 0.5, "result": regions(DOCUMENT.text, DOCUMENT.spans, CONFIG.texts[0])}
        ],
    }
    assert [region.get("score") for region in task["predictions"][0]["result"]] == [0.25, None]


def test_prediction_without_a_score_or_spans_says_just_that() -> None:
    task = prediction_task(Document("1", "nothing"), CONFIG)
    assert task["predictions"] == [{"model_version": "conll", "result": []}]


def test_annotation_task_has_no_scores() -> None:
    [made] = annotation_task(DOCUMENT, CONFIG)["annotations"]
    assert [region["value"]["labels"] for region in made["result"]] == [["Rating"], ["Dish"]]
    assert not any("score" in region for region in made["result"])


def test_document_without_spans_has_an_empty_annotation() -> None:
    task = annotation_task(Document("1", "nothing"), CONFIG)
    assert task["annotations"] == [{"result": []}]
    assert read([task]) == [Document("#1", "nothing")]


def test_label_is_written_by_the_control_that_has_it_into_a_nested_field() -> None:
    document = Document("#1", "Ann's pizza", (Span(0, 3, "PER"), Span(6, 11, "Dish")))
    task = annotation_task(document, TWO)
    assert task["data"] == {"a": {"b": "Ann's pizza"}}
    assert [region["from_name"] for region in task["annotations"][0]["result"]] == ["who", "label"]
    assert read([task], TWO) == [document]


@pytest.mark.parametrize(
    ("span", "problem", "left"),
    [
        (Span(0, 5, "Chef"), Problem.UNKNOWN_LABEL, 0),
        (Span(0, 12, "Dish"), Problem.OUTSIDE_TEXT, 0),
        (Span(-1, 5, "Dish"), Problem.OUTSIDE_TEXT, 0),
        (Span(5, 3, "Dish"), Problem.OUTSIDE_TEXT, 0),
        (Span(5, 5, "Dish"), Problem.EMPTY_SPAN, 0),
        (Span(0, 5, "Dish", 1.01), Problem.BAD_SCORE, 1),
        (Span(0, 5, "Dish", float("nan")), Problem.BAD_SCORE, 1),
    ],
)
def test_nothing_is_written_that_label_studio_refuses_nor_left_out_in_silence(
    span: Span, problem: Problem, left: int
) -> None:
    report = ConversionReport()
    task = prediction_task(Document("7", "great pizza", (span,)), CONFIG, report=report)
    assert [(issue.problem, issue.task) for issue in report.issues] == [(problem, "7")]
    assert len(task["predictions"][0]["result"]) == left
    assert "NaN" not in json.dumps(task)


def test_score_of_a_task_outside_of_0_and_1_is_not_written() -> None:
    report = ConversionReport()
    task = prediction_task(DOCUMENT, CONFIG, score=2.0, report=report)
    assert "score" not in task["predictions"][0]
    assert report.problems() == {Problem.BAD_SCORE: 1}


def test_characters_no_database_takes_are_replaced_and_named() -> None:
    report = ConversionReport()
    document = Document("7", "a\x00\ud83d pizza", (Span(4, 9, "Dish"),))
    task = annotation_task(document, CONFIG, report=report)
    assert task["data"] == {"text": "a\ufffd\ufffd pizza"}
    assert task["annotations"][0]["result"][0]["value"]["text"] == "pizza"
    assert report.problems() == {Problem.UNWRITABLE: 1}


@pytest.mark.parametrize("kind", ["predictions", "annotations"])
def test_file_is_one_list_in_utf8_with_a_task_a_line(kind: Literal["predictions", "annotations"]) -> None:
    stream = io.BytesIO()
    documents = [DOCUMENT, Document("\ud83d", "é")]
    assert write_tasks(iter(documents), stream, CONFIG, kind=kind, report=ConversionReport()) == 2
    content = stream.getvalue().decode()
    assert "é" in content
    assert content.count("\n") == 4
    tasks = json.loads(content)
    assert [set(task) for task in tasks] == [{"data", "meta", kind}] * 2
    assert list(load_tasks(io.BytesIO(stream.getvalue()))) == tasks


def test_no_documents_make_an_empty_list() -> None:
    stream = io.BytesIO()
    assert write_tasks([], stream, CONFIG, kind="predictions", report=ConversionReport()) == 0
    assert json.loads(stream.getvalue()) == []


@given(st.data(), texts)
def test_documents_come_back_with_the_same_spans(data: st.DataObject, text: str) -> None:
    config = LabelConfig.of_one_text(("X", "Y", "A-B", "B-X", "Restaurant Name", "O", ""))
    spans = [*data.draw(clean_spans(text)), *data.draw(st.lists(st.builds(Span, *_place(text), any_label), max_size=3))]
    stream = io.BytesIO()
    document = Document("#1", text, tuple(spans))
    write_tasks([document], stream, config, kind="annotations", report=ConversionReport())
    [returned] = read(list(load_tasks(io.BytesIO(stream.getvalue()))), config)
    assert returned.spans == tuple(dict.fromkeys(document.spans))
    assert returned.text == "".join("\ufffd" if c == "\0" or "\ud800" <= c <= "\udfff" else c for c in text)


def _place(text: str) -> tuple[st.SearchStrategy[int], st.SearchStrategy[int]]:
    return (st.just(0), st.integers(1, len(text))) if text else (st.nothing(), st.nothing())


class Sink(io.BytesIO):
    def write(self, content: Any, /) -> int:
        return len(content)


def test_memory_does_not_grow_with_the_number_of_documents() -> None:
    spoilt = Document("7", "great pizza", (Span(0, 5, "Chef"), Span(6, 11, "Dish")))
    report = ConversionReport()
    write_tasks((spoilt for _ in range(2000)), Sink(), CONFIG, kind="predictions", report=report)
    tracemalloc.start()
    try:
        write_tasks((spoilt for _ in range(3000)), Sink(), CONFIG, kind="predictions", report=report)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 200_000
    assert report.problems() == {Problem.UNKNOWN_LABEL: 5000}


MAIL = LabelConfig(
    (
        LabelledText("title", "$mail.title", (Control("t", ("PER",)),)),
        LabelledText("body", "$mail.body", (Control("b", ("PER", "CITY")),)),
    )
)


def test_regions_of_several_texts_name_their_text_and_have_different_ids() -> None:
    span = Span(0, 3, "PER")
    results = task_regions(["Ana", "Ana in Rome"], [[span], [span, Span(7, 11, "CITY")]], MAIL)
    assert [(result["from_name"], result["to_name"], result["value"]["text"]) for result in results] == [
        ("t", "title", "Ana"),
        ("b", "body", "Ana"),
        ("b", "body", "Rome"),
    ]
    assert len({result["id"] for result in results}) == 3
    assert task_regions([None, "x"], [[], []], MAIL) == []


def test_document_is_written_as_the_text_it_names() -> None:
    document = Document("7", "Ana in Rome", (Span(7, 11, "CITY"),), text_name="body")
    task = annotation_task(document, MAIL)
    assert task["data"] == {"mail": {"title": "", "body": "Ana in Rome"}}
    assert [region["to_name"] for region in task["annotations"][0]["result"]] == ["body"]


@pytest.mark.parametrize(
    "options", [{"value": "To $name: $text"}, {"value": "$pages[0]"}, {"value": "$url", "is_url": True}]
)
def test_text_that_no_field_holds_alone_cannot_be_written(options: dict[str, Any]) -> None:
    config = LabelConfig((LabelledText("text", controls=(Control("label", ("Dish",)),), **options),))
    with pytest.raises(ValueError, match="convert with a configuration that shows one field"):
        annotation_task(DOCUMENT, config)
