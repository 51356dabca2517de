"""What `write_tasks` writes is imported by a real Label Studio and comes back from its exports."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any, Literal

import pytest

from converters import ConversionReport, Document, Problem, Span, iter_documents, load_tasks, write_tasks
from label_config import LabelConfig, generate
from tests.site import Site

pytestmark = pytest.mark.label_studio

# Two controls on one text, a field in a field, and a label that needs escaping.
XML = """<View>
  <Labels name="label" toName="text"><Label value="Dish"/><Label value="R&amp;D &lt;x&gt;"/></Labels>
  <View><Labels name="who" toName="text"><Label value="Person" alias="PER"/></Labels></View>
  <Text name="text" value="$doc.body"/>
</View>"""
CONFIG = LabelConfig.from_xml(XML)

DOCUMENTS = [
    Document("a/1", "great pizza by Ann", (Span(6, 11, "Dish", 0.5), Span(15, 18, "PER", 1.0))),
    Document("2", "🍣🍕 great\r\nCrêpes 👨‍👩‍👧 日本語", (Span(0, 2, "Dish", 0.0), Span(10, 16, "R&D <x>"))),
    Document("3", "overlaps are kept", (Span(0, 8, "Dish"), Span(4, 12, "R&D <x>"), Span(0, 8, "PER"))),
    Document("4", "nothing here\nat all", sentence_per_line=True),
    Document("5", "spoilt \x00 and \ud83d here", (Span(15, 19, "Dish"), Span(0, 6, "Unheard of"))),
    Document("6", " \t edges  ", (Span(0, 10, "Dish"),)),
]
# Characters that cannot be stored are replaced one by one; labels that the configuration lacks are left out.
STORED = [
    *DOCUMENTS[:4],
    Document("5", "spoilt \ufffd and \ufffd here", (Span(15, 19, "Dish"),)),
    *DOCUMENTS[5:],
]
REGIONS = sum(len(document.spans) for document in STORED)

ATTEMPTS = 3
"""Imports that are tried: Label Studio may lose the annotations of one while others write."""


def imported(site: Site, kind: Literal["predictions", "annotations"], xml: str = XML) -> tuple[int, dict[str, Any]]:
    """Import a file of the documents into a new project; return the project's id and Label Studio's answer."""
    stream, report = io.BytesIO(), ConversionReport()
    assert write_tasks(DOCUMENTS, stream, CONFIG, kind=kind, report=report) == len(DOCUMENTS)
    assert report.problems() == {Problem.UNWRITABLE: 1, Problem.UNKNOWN_LABEL: 1}
    files = {"file": ("tasks.json", stream.getvalue(), "application/json")}
    for _ in range(ATTEMPTS):
        project = site.label_studio.create_project(f"Import of {kind}", xml)
        answer = site.api("POST", f"/api/projects/{project.id}/import", files=files)
        if kind == "predictions" or answer["annotation_count"]:
            return project.id, answer
    pytest.fail(f"Label Studio lost the annotations of {ATTEMPTS} imports, one after the other")


def exported(site: Site, project: int, kind: str) -> list[Document]:
    answer = site.api("GET", f"/api/projects/{project}/export?exportType={kind}&download_all_tasks=true")
    report = ConversionReport()
    documents = list(iter_documents(load_tasks(io.BytesIO(json.dumps(answer).encode())), CONFIG, report))
    assert report.issues == []
    assert not report.other_controls
    return documents


def content(documents: list[Document]) -> list[Document]:
    """What must come back: Label Studio gives tasks new ids, people give no scores, and JSON_MIN sorts by control."""
    return [
        Document("", document.text, tuple(sorted(replace(span, score=None) for span in document.spans)))
        for document in documents
    ]


def test_annotations_are_accepted_and_come_back_from_both_exports(site: Site) -> None:
    project, answer = imported(site, "annotations")
    assert (answer["task_count"], answer["annotation_count"]) == (len(STORED), len(STORED))
    assert content(exported(site, project, "JSON")) == content(STORED)
    assert content(exported(site, project, "JSON_MIN")) == content(STORED)


def test_every_region_and_the_source_of_a_task_are_in_the_export(site: Site) -> None:
    project, _ = imported(site, "annotations")
    tasks = site.api("GET", f"/api/projects/{project}/export?exportType=JSON")
    assert sum(len(task["annotations"][0]["result"]) for task in tasks) == REGIONS
    assert [task["meta"]["source_id"] for task in tasks] == [document.id for document in STORED]
    assert [task["meta"].get("sentences") for task in tasks] == [None, None, None, "lines", None, None]


def test_predictions_are_accepted_with_every_region_and_score(site: Site) -> None:
    project, answer = imported(site, "predictions")
    assert (answer["task_count"], answer["prediction_count"]) == (len(STORED), len(STORED))
    predictions = site.api("GET", f"/api/predictions/?project={project}")
    assert {prediction["model_version"] for prediction in predictions} == {"conll"}
    regions = [region for prediction in predictions for region in prediction["result"]]
    assert len(regions) == REGIONS
    assert sorted(region["score"] for region in regions if "score" in region) == [0.0, 0.5, 1.0]
    assert exported(site, project, "JSON") == []


def test_corrected_prediction_comes_back_as_the_same_document(site: Site) -> None:
    project, _ = imported(site, "predictions")
    for prediction in site.api("GET", f"/api/predictions/?project={project}"):
        body = {"result": prediction["result"], "parent_prediction": prediction["id"]}
        site.api("POST", f"/api/tasks/{prediction['task']}/annotations/", json=body)
    assert content(exported(site, project, "JSON")) == content(STORED)


def test_generated_configuration_is_accepted(site: Site) -> None:
    xml = generate(["Dish", 'A "B" & <C>', "naïve\tlabel", *map(str, range(40))])
    project = site.label_studio.create_project("Generated", xml)
    stored = site.api("GET", f"/api/projects/{project.id}")["label_config"]
    assert LabelConfig.from_xml(stored).labels == LabelConfig.from_xml(xml).labels
