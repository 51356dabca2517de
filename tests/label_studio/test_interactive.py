"""Auto-Annotation: what Label Studio returns after an annotator has marked a region."""

from __future__ import annotations

import pytest

from backend.label_studio.connect import connect
from tests import samples
from tests.label_studio.conftest import Connected
from tests.site import Site

pytestmark = pytest.mark.label_studio

TEXT = "thai soup 🍜 or Thai rice?"


def test_marked_words_come_back_as_suggestions(site: Site) -> None:
    label = samples.LABELS[0]
    project = site.new_project("Auto-Annotation", labelled=[], unlabelled=[TEXT])
    backend_id = connect(site.settings, site.label_studio, project.id, site.places.backend_url).backend_id
    [task] = site.label_studio.unlabelled_tasks(project.id)
    value = {"start": 0, "end": 4, "text": "thai", "labels": [label]}
    marked = {"id": "new", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    answer = site.api(
        "POST",
        f"/api/ml/{backend_id}/interactive-annotating",
        json={"task": task.id, "context": {"result": [marked]}},
    )
    assert "errors" not in answer
    [region] = answer["data"]["result"]
    assert region["value"] == {"start": 15, "end": 19, "text": "Thai", "labels": [label]}
    assert (region["from_name"], region["to_name"], region["type"]) == ("label", "text", "labels")


def test_regions_of_the_model_do_not_come_back(site: Site, served: Connected) -> None:
    task = next(task for task in served.unlabelled() if served.predictions(task.id)[0]["result"])
    word = task.data["text"].split()[0]
    value = {"start": 0, "end": len(word), "text": word, "labels": [samples.LABELS[0]]}
    marked = {"id": "new", "from_name": "label", "to_name": "text", "type": "labels", "value": value}
    path = f"/api/ml/{served.backend_id}/interactive-annotating"
    answer = site.api("POST", path, json={"task": task.id, "context": {"result": [marked]}})
    assert "errors" not in answer
    assert {region["value"]["text"].casefold() for region in answer["data"]["result"]} <= {word.casefold()}
