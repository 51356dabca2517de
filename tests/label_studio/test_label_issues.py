"""Label issues in a real Label Studio: what a push stores there, and what its Data Manager shows."""

from __future__ import annotations

from typing import Any

import pytest

from backend.label_studio.api import Prediction, RemoteProject
from backend.label_studio.label_issues_tab import TAB, VERSION, push
from backend.store.models import LabelIssue
from tests import samples
from tests.site import Site

pytestmark = pytest.mark.label_studio

SCORES = (0.55, 0.91, 0.99, 0.6, 0.83)
TASKS = 12


@pytest.fixture
def project(site: Site) -> RemoteProject:
    labelled = [document for document in samples.documents() if document.spans][:TASKS]
    return site.new_project("Label issues", labelled=labelled, unlabelled=["a", "b"])


@pytest.fixture
def pushed(site: Site, project: RemoteProject) -> list[LabelIssue]:
    """The issues that were pushed, by descending score."""
    issues = label_issues(site, project, SCORES)
    assert push(site.label_studio, project.uid, issues, progress=lambda _: None) == len(SCORES)
    return sorted(issues, key=lambda issue: -issue.score)


def tasks_of(site: Site, project: RemoteProject) -> list[dict[str, Any]]:
    return sorted(site.label_studio.labelled_tasks(project.id), key=lambda task: int(task["id"]))


def label_issues(site: Site, project: RemoteProject, scores: tuple[float, ...]) -> list[LabelIssue]:
    """One about the first region of each of the first tasks: another label is right."""
    issues = []
    for task, score in zip(tasks_of(site, project)[: len(scores)], scores, strict=True):
        value = task["annotations"][0]["result"][0]["value"]
        place = {"start": value["start"], "end": value["end"]}
        label = next(label for label in samples.LABELS if label not in value["labels"])
        issues.append(
            LabelIssue(project=project.uid, task=str(task["id"]), text_name="", **place, text=value["text"],
                    given=value["labels"][0], kind="wrong label", view="",
                    found=[{**place, "label": label, "score": 0.9}], score=score)
        )  # fmt: skip
    return issues


def in_tab(site: Site, project: RemoteProject) -> list[str]:
    [tab] = [tab for tab in site.api("GET", f"/api/dm/views/?project={project.id}") if tab["data"]["title"] == TAB]
    return [str(task["id"]) for task in site.api("GET", f"/api/tasks?view={tab['id']}")["tasks"]]


def predictions(site: Site, project: RemoteProject, version: str) -> dict[str, dict[str, Any]]:
    stored = site.api("GET", f"/api/predictions/?project={project.id}")
    return {str(prediction["task"]): prediction for prediction in stored if prediction["model_version"] == version}


def import_predictions(site: Site, project: RemoteProject) -> None:
    """Predictions of a version for every labelled task."""
    rows = [Prediction(task["id"], [], 0.5, "ner-v1") for task in tasks_of(site, project)]
    assert site.label_studio.import_predictions(project.id, rows) == len(rows)


def test_pushed_issues_have_the_mislabeling_field_and_the_models_regions(
    site: Site, project: RemoteProject, pushed: list[LabelIssue]
) -> None:
    stored = predictions(site, project, VERSION)
    assert {task: prediction["mislabeling"] for task, prediction in stored.items()} == {
        issue.task: issue.score for issue in pushed
    }
    for issue in pushed:
        [region] = stored[issue.task]["result"]
        assert (region["value"]["start"], region["value"]["labels"]) == (issue.start, [issue.found[0]["label"]])


def test_tab_lists_them_by_descending_score(site: Site, project: RemoteProject, pushed: list[LabelIssue]) -> None:
    assert in_tab(site, project) == [issue.task for issue in pushed]


def test_predictions_of_a_version_do_not_change_the_tab(
    site: Site, project: RemoteProject, pushed: list[LabelIssue]
) -> None:
    import_predictions(site, project)
    assert in_tab(site, project) == [issue.task for issue in pushed]
    assert len(predictions(site, project, VERSION)) == len(pushed)


def test_task_that_is_corrected_leaves_the_tab(site: Site, project: RemoteProject, pushed: list[LabelIssue]) -> None:
    first, *others = in_tab(site, project)
    [annotation] = site.api("GET", f"/api/tasks/{first}")["annotations"]
    site.api("PATCH", f"/api/annotations/{annotation['id']}/", json={"result": []})
    assert in_tab(site, project) == others


@pytest.mark.usefixtures("pushed")
def test_later_push_replaces_the_earlier_one_in_the_same_tab(site: Site, project: RemoteProject) -> None:
    import_predictions(site, project)
    later = label_issues(site, project, (0.7, 0.8))
    assert push(site.label_studio, project.uid, later, progress=lambda _: None) == 2
    assert in_tab(site, project) == [issue.task for issue in sorted(later, key=lambda issue: -issue.score)]
    assert len(predictions(site, project, "ner-v1")) == TASKS
    assert push(site.label_studio, project.uid, [], progress=lambda _: None) == 0
    assert in_tab(site, project) == []


def test_bulk_import_loses_the_field(site: Site, project: RemoteProject) -> None:
    """Why each issue is stored by a request of its own; when this fails, `push` can import them in one."""
    [task, *_] = tasks_of(site, project)
    site.label_studio.import_predictions(project.id, [Prediction(task["id"], [], 0.5, "bulk", mislabeling=0.7)])
    assert predictions(site, project, "bulk")[str(task["id"])]["mislabeling"] == 0.0
