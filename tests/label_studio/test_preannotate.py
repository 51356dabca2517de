"""Bulk pre-annotation of a real Label Studio: killed and started again, and beside a worker."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from backend.label_studio.api import RemoteProject
from tests import samples
from tests.site import CONFIG, Site

pytestmark = pytest.mark.label_studio

TASKS = 300


@pytest.fixture
def project(site: Site, version_folder: Path) -> RemoteProject:
    """A project with unlabelled tasks, and a version whose predictions are not in Label Studio yet."""
    texts = [f"{samples.documents()[number % 20].text} {number}" for number in range(TASKS)]
    project = site.new_project("Much to do", labelled=[], unlabelled=texts)
    site.loop.register_project(project.uid, title=project.title, label_config=CONFIG)
    site.publish(project, "ner-v1", version_folder)
    promote(site, project, "ner-v1")
    return project


def promote(site: Site, project: RemoteProject, name: str) -> None:
    """Promote a version so that no worker syncs its predictions."""
    site.loop.registry.promote(project.uid, name, actor="test")
    request = site.loop.store.syncs.pending(project.uid)
    assert request
    site.loop.store.syncs.complete(project.uid, request)


def start(site: Site, project: RemoteProject, *, batch: int) -> subprocess.Popen[str]:
    """Start `preannotate`, with imports of so many predictions and a lease that lapses soon."""
    script = (
        "from backend.label_studio import sync; from backend.store import lease; from backend.__main__ import cli; "
        f"sync.BATCH = {batch}; lease.LEASE_SECONDS = 15.0; cli()"
    )
    return subprocess.Popen(
        [sys.executable, "-c", script, "preannotate", "--project", str(project.id), "--json"],
        env={**os.environ, **site.settings.environment()},
        stdout=subprocess.PIPE,
        text=True,
    )


def stored(site: Site, project: RemoteProject, version: str) -> Counter[int]:
    """How many predictions of a version each task has."""
    predictions = site.api("GET", f"/api/predictions/?project={project.id}")
    return Counter(prediction["task"] for prediction in predictions if prediction["model_version"] == version)


def test_killed_pre_annotation_continues_and_stores_nothing_twice(site: Site, project: RemoteProject) -> None:
    killed = start(site, project, batch=20)
    site.wait("the first predictions", lambda: len(stored(site, project, "ner-v1")) >= 20)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert 20 <= len(stored(site, project, "ner-v1")) < TASKS
    site.loop.store.syncs.request(project.uid)  # the worker tries too
    site.loop.queue.wake_sync(project.uid)
    following = start(site, project, batch=100)
    output, _ = following.communicate(timeout=200)
    assert following.returncode == 0
    [result] = json.loads(output)
    assert (result["unlabelled"], result["refused"]) == (TASKS, [])
    assert set(stored(site, project, "ner-v1").values()) == {1}
    assert len(stored(site, project, "ner-v1")) == TASKS
    assert site.label_studio.project(project.id).model_version == "ner-v1"


def test_deleted_task_is_no_error_and_ner_v1_is_not_ner_v10(
    site: Site, project: RemoteProject, version_folder: Path
) -> None:
    tasks = [task.id for task in site.label_studio.unlabelled_tasks(project.id)]
    site.publish(project, "ner-v10", version_folder)
    promote(site, project, "ner-v10")
    assert json.loads(start(site, project, batch=500).communicate(timeout=200)[0])[0]["stored"] == TASKS
    promote(site, project, "ner-v1")
    site.api("DELETE", f"/api/tasks/{tasks[7]}/")
    [result] = json.loads(start(site, project, batch=500).communicate(timeout=200)[0])
    assert (result["version"], result["stored"], result["present"]) == ("ner-v1", TASKS - 1, 0)


def test_list_of_versions_that_label_studio_cuts_is_read_in_full(site: Site, project: RemoteProject) -> None:
    [first, second, *_] = [task.id for task in site.label_studio.unlabelled_tasks(project.id)]
    names = [f"ner-v{number}" for number in range(100, 180)]
    rows = [
        {"task": task, "result": [], "score": 0.5, "model_version": name} for task in (first, second) for name in names
    ]
    site.api("POST", f"/api/projects/{project.id}/import/predictions", json=rows)
    versions = {task.id: task.predicted_by for task in site.label_studio.unlabelled_tasks(project.id)}
    assert versions[first] == versions[second] == set(names)
