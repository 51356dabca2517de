from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import ConversionReport, Document, Span, UnreadableJSON, iter_documents, load_tasks
from label_config import LabelConfig
from tests.converters.test_label_studio import GREAT, JSON, PIZZA, TEXT, annotation, task

CONFIG = LabelConfig.of_one_text(("Dish", "Location", "Rating"))
TASKS = [task(annotation(GREAT), id=1), task(id=2), task(annotation(PIZZA), id=3)]


def loaded(content: str | bytes) -> list[Any]:
    return list(load_tasks(io.BytesIO(content.encode() if isinstance(content, str) else content)))


def flat(number: int | None, annotation_id: int | None, *regions: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """An object of JSON_MIN, as in `export_JSON_MIN.json`."""
    values = {"label": [region["value"] for region in regions]} if regions else {}
    made = {"annotator": 1, "annotation_id": annotation_id, "created_at": "2026-11-21T00:47:06.106922Z"}
    return {"text": TEXT, "id": number, **values, **made, "updated_at": None, "lead_time": None, **changes}


def documents(*objects: Any) -> list[Document]:
    return list(iter_documents(loaded(json.dumps(objects)), CONFIG, ConversionReport()))


DUMP = json.dumps(TASKS)


@pytest.mark.parametrize(
    "content",
    [
        DUMP,
        json.dumps(TASKS, indent=2),
        "\ufeff" + DUMP,
        f'{{"tasks": {DUMP}}}',
        f'{{"total_annotations": 2, "total": 3, "next": "a", "tasks": {DUMP}, "more": {{"a": [1]}}, "x": null}}',
        f'{{"extra": {{"a": []}}, "tasks": {DUMP}}}',
        "\n".join(map(json.dumps, TASKS)),
        "\r\n\r\n".join(map(json.dumps, TASKS)) + "\r\n",
        f'{{"tasks": {json.dumps(TASKS[:2])}}}\n{{"tasks": {json.dumps(TASKS[2:])}}}',
        f"{json.dumps(TASKS[:1])} {json.dumps(TASKS[1:])}",
        f"{json.dumps(TASKS[0])} {json.dumps(TASKS[1:])}",
    ],
    ids=["list", "indented", "mark", "page", "totals", "nested", "lines", "crlf", "pages", "lists", "both"],
)
def test_tasks_are_found_in_every_shape(content: str) -> None:
    assert loaded(content) == TASKS


@pytest.mark.parametrize(
    ("content", "tasks"), [("", []), (" \n", []), ("[]", []), ('{"tasks": []}', []), (json.dumps(TASKS[0]), TASKS[:1])]
)
def test_none_and_one_are_files_too(content: str, tasks: list[Any]) -> None:
    assert loaded(content) == tasks


def test_task_whose_data_has_tasks_is_a_task() -> None:
    only = {"id": 1, "data": {"tasks": []}, "tasks": [1]}
    assert loaded(json.dumps(only)) == [only]


@pytest.mark.parametrize("content", ["7", '"tasks"', "<View/>", "text,label\n", '[{"id": 1}] x', '{"tasks": [] "a"}'])
def test_what_is_no_export_is_refused_with_the_place(content: str) -> None:
    with pytest.raises(UnreadableJSON, match=r"after \d+ bytes, in line 1"):
        loaded(content)


def test_json_min_gives_the_same_documents() -> None:
    assert documents(flat(3, 4, GREAT, PIZZA)) == [Document("3", TEXT, (Span(3, 8, "Rating"), Span(9, 14, "Dish")))]


def test_json_min_without_regions_is_a_negative_and_without_an_annotation_unlabelled() -> None:
    report = ConversionReport()
    documents = list(iter_documents(loaded(json.dumps([flat(1, 7), flat(2, None)])), CONFIG, report))
    assert documents == [Document("1", TEXT)]
    assert report.unlabeled == 1


def test_json_min_annotations_of_one_task_are_one_task() -> None:
    first = flat(3, 4, GREAT, created_at="2026-11-21T00:00:00Z")
    late = flat(3, 5, PIZZA, created_at="2026-11-22T00:00:00Z")
    other = flat(4, 6, GREAT)
    assert documents(first, late, other) == [
        Document("3", TEXT, (Span(9, 14, "Dish"),)),
        Document("4", TEXT, (Span(3, 8, "Rating"),)),
    ]


def test_json_min_without_an_id_stays_apart() -> None:
    assert [document.id for document in documents(flat(None, 4), flat(None, 5))] == ["#1", "#2"]


def test_json_min_beside_tasks_keeps_the_order() -> None:
    mixed = documents(flat(9, 4), task(annotation(), id=2), flat(5, 6))
    assert [document.id for document in mixed] == ["9", "2", "5"]


def test_json_min_regions_of_other_controls_are_counted() -> None:
    report = ConversionReport()
    config = replace(CONFIG, other_controls=frozenset({"other"}))
    value = flat(3, 4, GREAT, other=[{"start": 0, "end": 1, "labels": ["x"]}], mood="good", words=["a"])
    assert len(list(iter_documents(loaded(json.dumps([value])), config, report))) == 1
    assert report.other_controls == {"other": 1}
    list(iter_documents(loaded(json.dumps([value])), CONFIG, report))
    assert report.unknown_labels == {"x": 1}


@pytest.mark.parametrize(
    "regions",
    [
        [{"start": 3, "end": 8, "text": "great"}],
        {"start": 3, "end": 8},
        '[{"start": 3, "end": 8, "labels": ["Rating"]}]',
        ["Rating"],
        [{"start": 3, "end": 8, "labels": ["Rating"]}, "Rating"],
    ],
    ids=["no labels", "one object", "a string", "labels only", "one of two"],
)
def test_json_min_regions_that_cannot_be_read_are_not_taken_for_none(regions: Any) -> None:
    report = ConversionReport()
    value = flat(3, 4, GREAT)
    value["label"] = regions
    documents = list(iter_documents(loaded(json.dumps([value])), CONFIG, report, unreadable="leave out"))
    assert documents == []
    assert report.left_out == 1


def test_json_min_regions_of_other_types_are_read() -> None:
    report = ConversionReport()
    value = flat(3, 4, GREAT)
    value["label"] = [{"start": 3, "end": 8, "text": "great", "hypertextlabels": ["Rating"]}]
    [document] = iter_documents(loaded(json.dumps([value])), CONFIG, report)
    assert [span.label for span in document.spans] == ["Rating"]


def test_json_min_without_annotation_ids_is_read() -> None:
    value = flat(3, 4, GREAT)
    del value["annotation_id"]
    [document] = iter_documents(loaded(json.dumps([value])), CONFIG, ConversionReport())
    assert [span.label for span in document.spans] == ["Rating"]


def test_elements_that_are_no_objects_are_left_to_the_reader() -> None:
    assert loaded('[1, "a", null]') == [1, "a", None]


@given(st.data())
@settings(deadline=None, max_examples=200)
def test_no_shape_of_json_raises(data: st.DataObject) -> None:
    def sometimes(usual: Any) -> Any:
        return data.draw(st.one_of(st.just(usual), JSON))

    region = sometimes({"start": sometimes(3), "end": sometimes(8), "labels": sometimes(["Dish"])})
    objects = [
        sometimes(flat(sometimes(3), sometimes(4), label=sometimes([region]), annotator=sometimes(1)))
        for _ in range(data.draw(st.integers(0, 3)))
    ]
    content = json.dumps(data.draw(st.sampled_from([objects, {"tasks": objects}, {"data": {}, "tasks": objects}])))
    report = ConversionReport()
    documents = list(iter_documents(loaded(content), CONFIG, report, agreement=data.draw(st.booleans())))
    assert report.documents == len(documents) <= report.tasks
