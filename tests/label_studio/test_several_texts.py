"""Projects whose tasks have two texts: what Label Studio stores and shows of their predictions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.label_studio.api import RemoteProject
from backend.label_studio.connect import connect
from tests.site import Site

pytestmark = pytest.mark.label_studio

CONFIG = """<View>
  <Labels name="kinds" toName="head"><Label value="Cuisine"/></Labels>
  <Text name="head" value="$title"/>
  <Labels name="places" toName="body"><Label value="Cuisine"/><Label value="Location"/></Labels>
  <Labels name="dishes" toName="body"><Label value="Dish"/></Labels>
  <Text name="body" value="Rated $rating: $review.text"/>
</View>"""

SENTENCE = "find me some Thai food"
DISHES = "We ordered the ramen and the pizza."
TASKS = [
    {"title": SENTENCE, "review": {"text": DISHES}, "rating": 4.5},
    {"title": DISHES, "review": {"text": f"🍣 {SENTENCE}"}, "rating": [1, 2]},
    {
        "title": "Is there a Greek restaurant in Boston",
        "review": {"text": "Who makes the best sushi for kids?"},
        "rating": True,
    },
    {"rating": 3, "review": {"text": SENTENCE}, "title": ""},
]
SHOWN = [
    {"head": SENTENCE, "body": f"Rated 4.5: {DISHES}"},
    {"head": DISHES, "body": f"Rated 1,2: 🍣 {SENTENCE}"},
    {"head": "Is there a Greek restaurant in Boston", "body": "Rated true: Who makes the best sushi for kids?"},
    {"head": "", "body": f"Rated 3: {SENTENCE}"},
]
CONTROLS = {
    ("head", "Cuisine"): "kinds",
    ("body", "Cuisine"): "places",
    ("body", "Location"): "places",
    ("body", "Dish"): "dishes",
}


@pytest.fixture
def project(site: Site, version_folder: Path) -> RemoteProject:
    """A connected project with four tasks of two texts; the predictions of its version are not stored yet."""
    project = site.label_studio.create_project("Two texts", CONFIG)
    site.label_studio.import_tasks(project.id, [{"data": data} for data in TASKS])
    connect(site.settings, site.label_studio, project.id, site.places.backend_url)
    site.publish(project, "ner-v1", version_folder)
    site.loop.registry.promote(project.uid, "ner-v1", actor="test")
    request = site.loop.store.syncs.pending(project.uid)
    assert request
    site.loop.store.syncs.complete(project.uid, request)
    return project


def preannotate(site: Site, project: RemoteProject) -> dict[str, Any]:
    process = subprocess.run(
        [sys.executable, "-m", "backend", "preannotate", "--project", str(project.id), "--json"],
        env={**os.environ, **site.settings.environment()},
        stdout=subprocess.PIPE,
        check=True,
        timeout=200,
    )
    [result] = json.loads(process.stdout)
    return dict(result)


def stored(site: Site, project: RemoteProject) -> list[dict[str, Any]]:
    """The only prediction of each task, in the order of the tasks."""
    predictions = site.api("GET", f"/api/predictions/?project={project.id}")
    by_task = {prediction["task"]: prediction for prediction in predictions}
    assert len(by_task) == len(predictions) == len(TASKS)
    return [by_task[task] for task in sorted(by_task)]


def check(predictions: list[dict[str, Any]]) -> list[set[tuple[str, str, str]]]:
    """Every region fits its text, its control and its labels; returns ``(text name, label, words)`` of each task."""
    for prediction, shown in zip(predictions, SHOWN, strict=True):
        assert 0 <= prediction["score"] <= 1
        ids = [region["id"] for region in prediction["result"]]
        assert len(set(ids)) == len(ids)
        for region in prediction["result"]:
            value = region["value"]
            assert shown[region["to_name"]][value["start"] : value["end"]] == value["text"]
            assert region["from_name"] == CONTROLS[region["to_name"], *value["labels"]]
    return [
        {(region["to_name"], *region["value"]["labels"], region["value"]["text"]) for region in prediction["result"]}
        for prediction in predictions
    ]


def test_stored_predictions_are_on_both_texts(site: Site, project: RemoteProject) -> None:
    result = preannotate(site, project)
    assert (result["stored"], result["refused"]) == (len(TASKS), [])
    of_tasks = check(stored(site, project))
    assert ("head", "Cuisine", "Thai") in of_tasks[0]
    assert {("body", "Dish", "ramen"), ("body", "Dish", "pizza")} <= of_tasks[0]
    assert ("body", "Cuisine", "Thai") in of_tasks[1]
    assert ("head", "Cuisine", "Greek") in of_tasks[2]
    assert ("body", "Dish", "sushi") in of_tasks[2]
    assert ("body", "Cuisine", "Thai") in of_tasks[3]
    assert site.label_studio.project(project.id).model_version == "ner-v1"


def test_live_predictions_are_the_same_as_stored_ones(site: Site, project: RemoteProject) -> None:
    ids = [task.id for task in site.label_studio.unlabelled_tasks(project.id)]
    site.api(
        "POST",
        f"/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}",
        json={"selectedItems": {"all": False, "included": ids}},
    )
    site.wait("live predictions", lambda: site.api("GET", f"/api/predictions/?project={project.id}"), 60)
    live = stored(site, project)
    check(live)
    site.label_studio.delete_predictions(project.id, "ner-v1")
    assert preannotate(site, project)["stored"] == len(TASKS)
    for answer, prediction in zip(live, stored(site, project), strict=True):
        assert answer["score"] == pytest.approx(prediction["score"], abs=1e-3)
        assert [_place(region) for region in answer["result"]] == [_place(region) for region in prediction["result"]]


def _place(region: dict[str, Any]) -> tuple[Any, ...]:
    return region["id"], region["from_name"], region["to_name"], region["value"]


def test_marked_words_are_suggested_on_their_text_only(site: Site, project: RemoteProject) -> None:
    [backend] = site.label_studio.backends(project.id)
    data = {"title": "Thai food", "review": {"text": "thai or Thai"}, "rating": 1}
    [task] = site.label_studio.import_tasks(project.id, [{"data": data}])
    value = {"start": 9, "end": 13, "text": "thai", "labels": ["Location"]}
    marked = {"id": "new", "from_name": "places", "to_name": "body", "type": "labels", "value": value}
    answer = site.api(
        "POST",
        f"/api/ml/{backend.id}/interactive-annotating",
        json={"task": task, "context": {"result": [marked]}},
    )
    assert "errors" not in answer
    [region] = answer["data"]["result"]
    assert (region["from_name"], region["to_name"]) == ("places", "body")
    assert region["value"] == {"start": 17, "end": 21, "text": "Thai", "labels": ["Location"]}
