"""The loop against a real Label Studio, as annotators and a project lead use it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from backend.evaluation.verdict import describe
from backend.label_studio.connect import connect
from backend.registry import UNTRAINED
from backend.store.models import LIVE
from converters import read_conll, read_tasks, regions, to_documents
from label_config import LabelConfig
from tests import samples
from tests.label_studio.conftest import Connected
from tests.label_studio.limits import LimitedCalls
from tests.site import CONFIG, THRESHOLD, Site, free_port

pytestmark = pytest.mark.label_studio

NewProject = Callable[..., Connected]


def dashboard_page(site: Site, project: Connected) -> str:
    assert site.settings.basic_auth_user
    assert site.settings.basic_auth_pass
    return httpx.get(
        f"{site.places.backend_url}/projects/{project.uid}/",
        headers={"Accept": "text/html"},
        auth=(site.settings.basic_auth_user, site.settings.basic_auth_pass.get_secret_value()),
    ).text


# Connecting


def test_connected_backend_and_webhook_have_the_credentials(site: Site, project: Connected) -> None:
    backend = site.api("GET", f"/api/ml/{project.backend_id}")
    assert backend["state"] == "CO", backend
    assert backend["auth_method"] == "BASIC_AUTH"
    [hook] = site.api("GET", f"/api/webhooks/?project={project.id}")
    assert hook["headers"]["Authorization"].startswith("Basic ")
    assert site.api("GET", f"/api/projects/{project.id}")["show_collab_predictions"] is True
    assert site.loop.store.projects.get(project.uid).label_config == CONFIG


def test_connecting_again_changes_nothing(site: Site, project: Connected) -> None:
    again = connect(site.settings, site.label_studio, project.id, site.places.backend_url)
    assert again.backend_id == project.backend_id
    assert len(site.api("GET", f"/api/ml?project={project.id}")) == 1
    assert len(site.api("GET", f"/api/webhooks/?project={project.id}")) == 1


def test_connecting_without_credentials_removes_earlier_ones(site: Site) -> None:
    port = free_port()
    unsecured = site.settings.model_copy(update={"port": port, "basic_auth_user": None, "basic_auth_pass": None})
    url = f"http://localhost:{port}"
    site.processes.start("serve-open", [sys.executable, "-m", "backend", "serve"], unsecured.environment())
    site.processes.wait_for(f"{url}/health", name="serve-open", seconds=60, tick=lambda _: None)
    fresh, former = (site.new_project(title, labelled=[], unlabelled=["a"]) for title in ("Open", "Once secured"))

    created = connect(unsecured, site.label_studio, fresh.id, url).backend_id
    assert site.api("GET", f"/api/ml/{created}")["state"] == "CO"

    secured = connect(site.settings, site.label_studio, former.id, url).backend_id
    # The worker writes the card with the credentials it has read: not between the two calls of `connect`.
    site.wait("the card", lambda: "no model yet" in site.api("GET", f"/api/ml/{secured}")["title"])
    updated = connect(unsecured, site.label_studio, former.id, url).backend_id
    backend = site.api("GET", f"/api/ml/{updated}")
    assert (backend["state"], backend["auth_method"], backend["basic_auth_user"]) == ("CO", "NONE", "")
    [hook] = site.api("GET", f"/api/webhooks/?project={former.id}")
    assert hook["headers"] == {}


# Training


def test_start_training_trains_and_the_service_answers_in_time_meanwhile(site: Site, new_project: NewProject) -> None:
    project = new_project(labelled=True)
    site.api("POST", f"/api/ml/{project.backend_id}/train")
    [run] = site.loop.runs(project.uid)
    with LimitedCalls(project, run) as calls:
        done = project.wait_for_end(run)
    assert (done.state, done.version) == ("finished", "ner-v1"), done.error
    assert calls.calls > 100
    assert calls.failures == []
    assert calls.late() == {}
    project.wait_for_predictions("ner-v1")


def test_crossing_the_threshold_trains_a_version_that_pre_labels_at_once(
    site: Site, new_project: NewProject, version_folder: Path
) -> None:
    project = new_project(labelled=True)
    site.publish(project.remote, "ner-v1", version_folder)
    site.loop.promote(project.uid, "ner-v1", actor="test")
    assert THRESHOLD == 3
    first, second, third, *_ = project.unlabelled()
    for task in (first, second):
        site.label_studio.annotate(task.id, [])
    site.wait("the two annotations", lambda: project.changed_tasks() == 2)
    assert site.loop.runs(project.uid) == []
    site.label_studio.annotate(third.id, [])
    [run] = site.wait("a queued run", lambda: site.loop.store.runs.latest(project=project.uid, states=LIVE))
    assert run.reason == "3 changed tasks"
    done = project.wait_for_end(run)
    assert (done.state, done.version) == ("finished", "ner-v2"), done.error
    assert project.changed_tasks() == 0
    project.wait_for_predictions("ner-v2")
    assert site.api("GET", f"/api/ml/{project.backend_id}")["model_version"] == "ner-v2"


def test_run_of_a_project_without_labels_fails_with_a_reason(site: Site, project: Connected) -> None:
    site.api("POST", f"/api/ml/{project.backend_id}/train")
    [run] = site.loop.runs(project.uid)
    done = project.wait_for_end(run, seconds=90)
    assert done.state == "failed"
    assert "label" in (done.error or "")
    assert site.loop.store.projects.get(project.uid).current_version is None


def test_good_version_keeps_serving_until_a_renamed_label_is_mapped(
    site: Site, new_project: NewProject, version_folder: Path
) -> None:
    project = new_project(labelled=True)
    site.publish(project.remote, "ner-v1", version_folder)
    site.loop.promote(project.uid, "ner-v1", actor="test")
    renamed = CONFIG.replace("Cuisine", "CUISINE")
    site.api("PATCH", f"/api/projects/{project.id}", json={"label_config": renamed})

    done = project.wait_for_end(site.loop.train(project.uid, reason="test"))
    assert (done.state, done.version) == ("finished", "ner-v2"), done.error
    overview = site.loop.overview(project.uid)
    assert overview.project.current_version == "ner-v1"
    assert overview.conversion is not None
    lost = overview.conversion.unknown_labels["Cuisine"]
    assert overview.conversion.total.lost_regions == lost > 0
    assert overview.latest is not None
    assert f"{lost} regions carry the label Cuisine, which ner-v1 knows" in describe(overview.latest)
    assert f"{lost} of {overview.conversion.total.regions} regions are not used" in dashboard_page(site, project)

    site.loop.map_label(project.uid, "Cuisine", "CUISINE")
    done = project.wait_for_end(site.loop.train(project.uid, reason="test"))
    assert (done.state, done.version) == ("finished", "ner-v3"), done.error
    overview = site.loop.overview(project.uid)
    assert overview.project.current_version == "ner-v3"
    assert overview.conversion is not None
    assert overview.conversion.total.lost_regions == 0
    project.wait_for_predictions("ner-v3")


# Predictions


def test_without_a_version_each_task_gets_one_empty_prediction(site: Site, project: Connected) -> None:
    tasks = [task.id for task in project.unlabelled()]
    site.api(
        "POST",
        f"/api/dm/actions?id=retrieve_tasks_predictions&project={project.id}",
        json={"selectedItems": {"all": False, "included": tasks}},
    )
    for task in tasks:
        [prediction] = project.predictions(task)
        assert (prediction["result"], prediction["model_version"]) == ([], UNTRAINED)


def test_label_studio_lists_the_version(site: Site, served: Connected) -> None:
    listed = site.api("GET", f"/api/ml/{served.backend_id}/versions")["versions"]
    # Label Studio does not say whose versions it asks for: those of every project are listed.
    assert "ner-v1" in listed
    assert set(listed) == {version.name for version in site.loop.versions()}


def test_every_unlabelled_task_gets_a_prediction_of_the_version(served: Connected) -> None:
    for task in served.unlabelled():
        [prediction] = served.predictions(task.id)
        assert prediction["model_version"] == "ner-v1"
        assert 0 <= prediction["score"] <= 1
        for region in prediction["result"]:
            value = region["value"]
            assert task.data["text"][value["start"] : value["end"]] == value["text"]


def test_the_next_task_is_the_least_certain_one_and_has_pre_labels(site: Site, served: Connected) -> None:
    site.api("PATCH", f"/api/projects/{served.id}", json={"sampling": "Uncertainty sampling"})
    scores = {
        task.id: prediction["score"]
        for task in served.unlabelled()
        for prediction in served.predictions(task.id)
        if prediction["model_version"] == "ner-v1"
    }
    task = site.api("GET", f"/api/projects/{served.id}/next")
    assert scores[task["id"]] == min(scores.values())
    assert "ner-v1" in {prediction["model_version"] for prediction in task["predictions"]}


def test_tasks_imported_later_are_pre_labelled_by_themselves(site: Site, served: Connected) -> None:
    [task] = site.label_studio.import_tasks(served.id, [{"data": {"text": "cheap ramen near the old bridge"}}])
    served.wait_for_predictions("ner-v1", seconds=60)
    assert [prediction["model_version"] for prediction in served.predictions(task)] == ["ner-v1"]


def test_rolling_back_shows_the_earlier_versions_predictions(
    site: Site, served: Connected, version_folder: Path
) -> None:
    site.publish(served.remote, "ner-v2", version_folder)
    site.loop.promote(served.uid, "ner-v2", actor="test")
    served.wait_for_predictions("ner-v2")
    site.loop.promote(served.uid, "ner-v1", actor="test")
    served.wait_for_predictions("ner-v1", seconds=60)


# Changed tasks


def test_a_task_labelled_updated_and_deleted_counts_once(site: Site, project: Connected) -> None:
    task, other, _ = project.unlabelled()
    annotation = site.label_studio.annotate(task.id, [])
    site.wait("the new annotation", lambda: project.changed_tasks() == 1)
    result = regions(task.data["text"], samples.documents()[-12].spans, LabelConfig.from_xml(CONFIG).texts[0])
    site.api("PATCH", f"/api/annotations/{annotation}/", json={"result": result})
    site.api("DELETE", f"/api/annotations/{annotation}/")
    # Label Studio sends its webhooks in order: when the last one has been counted, so have those before it.
    last = site.label_studio.annotate(other.id, [])
    site.wait("the last annotation", lambda: last in site.loop.store.annotations.of(project.uid))
    site.wait("its task", lambda: project.changed_tasks() >= 2)
    assert project.changed_tasks() == 2
    assert set(site.loop.store.annotations.of(project.uid)) == {last}


def test_skipped_task_counts_if_it_was_labelled(site: Site, project: Connected) -> None:
    task, other, _ = project.unlabelled()
    site.api("POST", f"/api/tasks/{task.id}/annotations/", json={"result": [], "was_cancelled": True})
    labelled = site.label_studio.annotate(other.id, [])
    annotations = site.loop.store.annotations
    site.wait("the annotation", lambda: set(annotations.of(project.uid)) == {labelled})
    site.api("POST", f"/api/tasks/{other.id}/annotations/", json={"result": [], "was_cancelled": True})
    assert site.label_studio.annotation_tasks(project.id) == {labelled: other.id}
    assert site.label_studio.count_skipped_tasks(project.id) == 1
    site.api("PATCH", f"/api/annotations/{labelled}/", json={"was_cancelled": True})
    site.wait("the skipped annotation", lambda: annotations.of(project.uid) == {})
    assert project.changed_tasks() == 1
    assert site.label_studio.annotation_tasks(project.id) == {}
    assert site.label_studio.count_skipped_tasks(project.id) == 2
    skips = site.label_studio.skips(project.id)
    assert labelled in skips
    assert len(skips) == site.label_studio.project(project.id).skips == 3


def test_labels_whose_webhooks_were_lost_are_found(site: Site, project: Connected) -> None:
    [hook] = site.api("GET", f"/api/webhooks/?project={project.id}")
    site.api("PATCH", f"/api/webhooks/{hook['id']}/", json={"url": hook["url"], "is_active": False})
    task, *_ = project.unlabelled()
    site.label_studio.annotate(task.id, [])
    assert project.changed_tasks() == 0
    site.wait("the lost label", lambda: project.changed_tasks() == 1, seconds=90)


# Export


def test_export_writes_what_label_studio_has(site: Site, new_project: NewProject, tmp_path: Path) -> None:
    project, out = new_project(labelled=True), tmp_path / "out.conll"
    done = subprocess.run(
        [sys.executable, "-m", "backend", "export", "--project", str(project.id), str(out)],
        env={**os.environ, **site.settings.environment()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    with out.open(encoding="utf-8") as stream, Path(f"{out}.jsonl").open(encoding="utf-8") as sidecar:
        written = {document.id: document for document in to_documents(read_conll(stream), sidecar)}
    labelled, _ = read_tasks(site.label_studio.labelled_tasks(project.id), LabelConfig.from_xml(CONFIG))
    assert [written[document.id].spans for document in labelled] == [document.spans for document in labelled]
    assert sum(len(document.spans) for document in labelled) > 50
