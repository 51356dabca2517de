"""Label issues in a real Label Studio: what a push leaves there, and what its Data Manager shows of it."""

from __future__ import annotations

from typing import Any

import pytest

from backend.label_studio.api import Prediction, RemoteProject
from backend.label_studio.label_issues_tab import TAB, VERSION, push
from backend.store.models import LabelIssue
from tests import samples
from tests.label_studio.conftest import Site

pytestmark = pytest.mark.label_studio

SCORES = (0.55, 0.91, 0.99, 0.6, 0.83)


@pytest.fixture(scope="module")
def project(site: Site) -> RemoteProject:
    labelled = [document for document in samples.documents() if document.spans][:12]
    return site.new_project("Label issues", labelled=labelled, unlabelled=["a", "b"])


def tasks_of(site: Site, project: RemoteProject) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.label_studio.labelled_tasks(project.id)
    return sorted(found, key=lambda task: int(task["id"]))


def label_issues(site: Site, project: RemoteProject, scores: tuple[float, ...]) -> list[LabelIssue]:
    """One about the first region of each of the first tasks: another label is right."""
    made = []
    for task, score in zip(tasks_of(site, project)[: len(scores)], scores, strict=True):
        value = task["annotations"][0]["result"][0]["value"]
        place = {"start": value["start"], "end": value["end"]}
        label = next(each for each in samples.LABELS if each not in value["labels"])
        made.append(
            LabelIssue(project=project.uid, task=str(task["id"]), **place, text=value["text"], given=value["labels"][0],
                    kind="wrong label", view="", found=[{**place, "label": label, "score": 0.9}], score=score)
        )  # fmt: skip
    return made


def in_tab(site: Site, project: RemoteProject) -> list[int]:
    [tab] = [each for each in site.api("GET", f"/api/dm/views/?project={project.id}") if each["data"]["title"] == TAB]
    return [task["id"] for task in site.api("GET", f"/api/tasks?view={tab['id']}")["tasks"]]


def predictions(site: Site, project: RemoteProject, version: str) -> dict[int, dict[str, Any]]:
    found = site.api("GET", f"/api/predictions/?project={project.id}")
    return {each["task"]: each for each in found if each["model_version"] == version}


def test_pushed_suspects_carry_the_mislabeling_field_and_the_models_view(site: Site, project: RemoteProject) -> None:
    found = label_issues(site, project, SCORES)
    assert push(site.label_studio, project.uid, found, progress=lambda _: None) == len(SCORES)
    stored = predictions(site, project, VERSION)
    assert {task: each["mislabeling"] for task, each in stored.items()} == {
        int(issue.task): issue.score for issue in found
    }
    for issue in found:
        [region] = stored[int(issue.task)]["result"]
        assert (region["value"]["start"], region["value"]["labels"]) == (
            issue.start,
            [issue.found[0]["label"]],
        )


def test_tab_lists_them_the_surest_first(site: Site, project: RemoteProject) -> None:
    found = sorted(label_issues(site, project, SCORES), key=lambda issue: -issue.score)
    assert in_tab(site, project) == [int(issue.task) for issue in found]


def test_predictions_of_a_model_leave_the_tab_as_it_is(site: Site, project: RemoteProject) -> None:
    before = in_tab(site, project)
    rows = [Prediction(task["id"], [], 0.5, "ner-v1") for task in tasks_of(site, project)]
    assert site.label_studio.import_predictions(project.id, rows) == len(rows)
    assert in_tab(site, project) == before
    assert len(predictions(site, project, VERSION)) == len(before)


def test_task_that_is_corrected_leaves_the_tab(site: Site, project: RemoteProject) -> None:
    first, *others = in_tab(site, project)
    [annotation] = site.api("GET", f"/api/tasks/{first}")["annotations"]
    site.api("PATCH", f"/api/annotations/{annotation['id']}/", json={"result": []})
    assert in_tab(site, project) == others


def test_later_push_replaces_suspects_in_the_same_tab(site: Site, project: RemoteProject) -> None:
    rest = label_issues(site, project, (0.7, 0.8))
    assert push(site.label_studio, project.uid, rest, progress=lambda _: None) == 2
    assert in_tab(site, project) == [int(issue.task) for issue in sorted(rest, key=lambda each: -each.score)]
    assert len(predictions(site, project, "ner-v1")) == 12
    assert push(site.label_studio, project.uid, [], progress=lambda _: None) == 0
    assert in_tab(site, project) == []


def test_bulk_import_loses_the_field(site: Site, project: RemoteProject) -> None:
    """Why each issue is a request of its own; when this fails, `push` can import them in one."""
    [task, *_] = tasks_of(site, project)
    site.label_studio.import_predictions(project.id, [Prediction(task["id"], [], 0.5, "bulk", mislabeling=0.7)])
    assert predictions(site, project, "bulk")[task["id"]]["mislabeling"] == 0.0
