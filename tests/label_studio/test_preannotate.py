"""Bulk pre-annotation of a real Label Studio: killed, gone on with, and beside a worker."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from backend.label_studio.api import RemoteProject
from backend.registry import Registry
from backend.store.models import Version
from tests import samples
from tests.label_studio.conftest import CONFIG, Site

pytestmark = pytest.mark.label_studio

TASKS = 300


@pytest.fixture
def project(site: Site, version_folder: Path, tmp_path: Path) -> RemoteProject:
    """A project with unlabelled tasks, and a version of it that was not brought to them."""
    texts = [f"{samples.documents()[number % 20].text} {number}" for number in range(TASKS)]
    project = site.new_project("Much to do", labelled=[], unlabelled=texts)
    site.loop.register_project(project.uid, title=project.title, label_config=CONFIG)
    publish(site.loop.registry, project.uid, "ner-v1", version_folder, tmp_path)
    return project


def publish(registry: Registry, uid: str, name: str, files: Path, folder: Path) -> Version:
    staged = folder / name
    shutil.copytree(files, staged)
    registry.publish(uid, name, staged, run="0123456789ab", labels=samples.LABELS, metrics={})
    return registry.promote(uid, name, verdict="promoted by hand")


def start(site: Site, project: RemoteProject, *, batch: int) -> subprocess.Popen[str]:
    """`preannotate`, with imports of so many predictions."""
    script = (
        f"import backend.label_studio.sync, backend.store.lease; backend.label_studio.sync.BATCH = {batch}; backend.store.lease.HOLD_SECONDS = 15.0; "
        "from backend.__main__ import cli; cli()"
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
    return Counter(each["task"] for each in predictions if each["model_version"] == version)


def test_killed_it_goes_on_and_nothing_is_there_twice(
    site: Site, project: RemoteProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed = start(site, project, batch=20)
    site.wait("the first predictions", lambda: len(stored(site, project, "ner-v1")) >= 20)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    there = stored(site, project, "ner-v1")
    assert 20 <= len(there) < TASKS
    site.loop.store.refreshes.want(project.uid)  # the worker wants to as well
    site.loop.queue.wake_sync(project.uid)
    following = start(site, project, batch=100)
    output, _ = following.communicate(timeout=200)
    assert following.returncode == 0
    [done] = json.loads(output)
    assert (done["unlabelled"], done["refused"]) == (TASKS, [])
    assert set(stored(site, project, "ner-v1").values()) == {1}
    assert len(stored(site, project, "ner-v1")) == TASKS
    assert site.label_studio.project(project.id).model_version == "ner-v1"


def test_deleted_task_costs_nothing_and_ner_v1_is_not_ner_v10(
    site: Site, project: RemoteProject, version_folder: Path, tmp_path: Path
) -> None:
    tasks = [task.id for task in site.label_studio.unlabelled_tasks(project.id)]
    publish(site.loop.registry, project.uid, "ner-v10", version_folder, tmp_path)
    assert json.loads(start(site, project, batch=500).communicate(timeout=200)[0])[0]["stored"] == TASKS
    site.loop.registry.promote(project.uid, "ner-v1", verdict="promoted by hand")
    site.api("DELETE", f"/api/tasks/{tasks[7]}/")
    [done] = json.loads(start(site, project, batch=500).communicate(timeout=200)[0])
    assert (done["version"], done["stored"], done["present"]) == ("ner-v1", TASKS - 1, 0)


def test_lists_of_versions_that_label_studio_cuts_off_are_asked_for_exactly(site: Site, project: RemoteProject) -> None:
    [first, second, *_] = [task.id for task in site.label_studio.unlabelled_tasks(project.id)]
    names = [f"ner-v{number}" for number in range(100, 180)]
    rows = [
        {"task": task, "result": [], "score": 0.5, "model_version": name} for task in (first, second) for name in names
    ]
    site.api("POST", f"/api/projects/{project.id}/import/predictions", json=rows)
    seen = {task.id: task.predicted_by for task in site.label_studio.unlabelled_tasks(project.id)}
    assert seen[first] == seen[second] == set(names)
