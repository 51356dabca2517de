"""Predictions of earlier versions leave a real Label Studio, and only these."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.label_studio.api import Prediction
from backend.label_studio.old_predictions import delete_old_predictions
from backend.registry import UNTRAINED
from tests.label_studio.conftest import Connected
from tests.site import Site

pytestmark = pytest.mark.label_studio

VERSIONS = 12


def versions(site: Site, project: Connected) -> dict[str, int]:
    return site.label_studio.count_by_version(project.id)


def test_the_store_of_predictions_does_not_grow_with_the_number_of_versions(
    site: Site, project: Connected, version_folder: Path
) -> None:
    tasks = [task.id for task in project.unlabelled()]
    path = f"/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}"
    site.api("POST", path, json={"selectedItems": {"all": False, "included": tasks}})
    site.label_studio.import_predictions(project.id, [Prediction(task, [], 0.5, "bert-1") for task in tasks])
    assert versions(site, project) == {UNTRAINED: len(tasks), "bert-1": len(tasks)}
    for number in range(1, VERSIONS + 1):
        name = f"ner-v{number}"
        site.publish(project.remote, name, version_folder)
        site.loop.promote(project.uid, name, actor="test")
        project.wait_for_predictions(name)
    left = {f"ner-v{VERSIONS}": len(tasks), "bert-1": len(tasks)}
    site.wait("the deletion of old predictions", lambda: versions(site, project) == left)
    assert site.label_studio.project(project.id).model_version == f"ner-v{VERSIONS}"


def test_annotations_and_tasks_with_label_issues_stay_as_they_are(
    site: Site, served: Connected, version_folder: Path
) -> None:
    task, *others = served.unlabelled()
    [prediction] = served.predictions(task.id)
    site.label_studio.annotate(task.id, prediction["result"])
    served.wait_for_predictions("ner-v1")
    old = [Prediction(task.id, [], 0.5, "ner-v2") for task in (task, *others)]
    site.label_studio.import_predictions(served.id, old)
    issue = Prediction(others[0].id, [], 0.5, "label_issues", mislabeling=0.9)
    site.label_studio.create_prediction(issue)
    updated_at = site.api("GET", f"/api/tasks/{issue.task}")["updated_at"]
    site.publish(served.remote, "ner-v2", version_folder)
    assert delete_old_predictions(site.loop.store, site.label_studio, served.uid, keep_going=lambda: True)
    assert versions(site, served) == {"ner-v1": len(old), "ner-v2": 1, "label_issues": 1}
    assert site.api("GET", f"/api/tasks/{issue.task}")["updated_at"] == updated_at
    [annotation] = site.api("GET", f"/api/tasks/{task.id}/annotations/")
    assert annotation["result"] == prediction["result"]
