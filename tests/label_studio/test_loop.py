"""The whole loop against a real Label Studio, as annotators and a project lead drive it.

The tests of this module tell one story and run in order: each begins where the one before it ended.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.label_studio.api import RemoteProject
from backend.label_studio.connect import connect
from backend.loop import UNTRAINED
from backend.store.models import LIVE, Run
from converters import read_conll, read_tasks, regions, to_documents
from label_config import LabelConfig
from tests import samples
from tests.label_studio.conftest import CONFIG, THRESHOLD, Site, free_port

pytestmark = pytest.mark.label_studio

NOTHING_TO_FIND = "Hello there, how are you today?"
UNLABELLED = [document.text for document in samples.documents()[-12:]] + [NOTHING_TO_FIND]


@dataclass
class Story:
    """What one test leaves to the next."""

    project: RemoteProject
    backend_id: int
    versions: list[str] = field(default_factory=list)

    @property
    def uid(self) -> str:
        return self.project.uid


@pytest.fixture(scope="module")
def story(site: Site) -> Story:
    labelled = samples.documents()[:-12]
    project = site.new_project("The loop", labelled=labelled, unlabelled=UNLABELLED)
    connection = connect(site.settings, site.label_studio, project.id, site.places.backend_url)
    return Story(project, connection.backend_id)


def unlabelled(site: Site, story: Story) -> list[int]:
    return [task.id for task in site.label_studio.unlabelled_tasks(story.project.id)]


def predictions(site: Site, task: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = site.api("GET", f"/api/predictions/?task={task}")
    return found


def changed(site: Site, story: Story) -> int:
    return site.loop.store.changes.count(story.uid)


def ended(site: Site, run: Run) -> Run | None:
    now = site.loop.run(run.id)
    return None if now.state in LIVE else now


def test_connect_makes_both_sides_trust_each_other(site: Site, story: Story) -> None:
    backend = site.api("GET", f"/api/ml/{story.backend_id}")
    assert backend["state"] == "CO", backend
    assert backend["auth_method"] == "BASIC_AUTH"
    [hook] = site.api("GET", f"/api/webhooks/?project={story.project.id}")
    assert hook["headers"]["Authorization"].startswith("Basic ")
    assert site.api("GET", f"/api/projects/{story.project.id}")["show_collab_predictions"] is True
    assert site.loop.store.projects.get(story.uid).label_config == CONFIG


def test_connect_again_changes_nothing(site: Site, story: Story) -> None:
    again = connect(site.settings, site.label_studio, story.project.id, site.places.backend_url)
    assert again.backend_id == story.backend_id
    assert len(site.api("GET", f"/api/ml?project={story.project.id}")) == 1
    assert len(site.api("GET", f"/api/webhooks/?project={story.project.id}")) == 1


def test_before_any_training_each_task_gets_one_empty_prediction(site: Site, story: Story) -> None:
    tasks = unlabelled(site, story)
    site.api(
        "POST",
        f"/api/dm/actions?id=retrieve_tasks_predictions&project={story.project.id}",
        json={"selectedItems": {"all": False, "included": tasks}},
    )
    for task in tasks:
        [prediction] = predictions(site, task)
        assert (prediction["result"], prediction["model_version"]) == ([], UNTRAINED)


def test_start_training_in_label_studio_trains_and_stays_within_its_limits(site: Site, story: Story) -> None:
    site.api("POST", f"/api/ml/{story.backend_id}/train")
    run = site.loop.runs(story.uid)[0]
    with Impatient(site, story, run) as label_studio:
        done = site.wait("the first version", lambda: ended(site, run))
    assert done.state == "finished", done.error
    assert done.version == "ner-v1"
    label_studio.check()
    story.versions.append(done.version)


class Impatient:
    """Calls the service as Label Studio does, for as long as a run takes, and remembers the longest waits."""

    LIMITS = {"/health": 1.0, "/setup": 3.0, "/webhook": 1.0, "/job_status": 1.0, "/versions": 3.0}  # noqa: RUF012

    def __init__(self, site: Site, story: Story, run: Run) -> None:
        assert site.settings.basic_auth_user
        assert site.settings.basic_auth_pass
        self._client = httpx.Client(
            base_url=site.places.backend_url,
            auth=(site.settings.basic_auth_user, site.settings.basic_auth_pass.get_secret_value()),
            timeout=30,
        )
        project = {"id": story.project.id, "created_at": _created_at(site, story)}
        self._bodies: dict[str, Any] = {
            "/setup": {
                "project": story.uid,
                "schema": CONFIG,
                "hostname": "",
                "access_token": "",
                "extra_params": None,
            },
            "/webhook": {"action": "PROJECT_UPDATED", "project": project},
            "/job_status": {"job": run.id},
        }
        self.longest: dict[str, float] = dict.fromkeys(self.LIMITS, 0.0)
        self.calls = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._call_all_the_time)

    def __enter__(self) -> Impatient:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._client.close()

    def _call_all_the_time(self) -> None:
        while not self._stop.wait(0.05):
            for path in self.LIMITS:
                body = self._bodies.get(path)
                began = time.monotonic()
                answer = self._client.request("POST" if body else "GET", path, json=body)
                self.longest[path] = max(self.longest[path], time.monotonic() - began)
                assert answer.status_code == 200, (path, answer.text)
                self.calls += 1

    def check(self) -> None:
        assert self.calls > 100
        late = {path: wait for path, wait in self.longest.items() if wait > self.LIMITS[path]}
        assert not late, late


def _created_at(site: Site, story: Story) -> str:
    created: str = site.api("GET", f"/api/projects/{story.project.id}")["created_at"]
    return created


def test_label_studio_lists_the_version(site: Site, story: Story) -> None:
    listed = site.api("GET", f"/api/ml/{story.backend_id}/versions")["versions"]
    assert set(story.versions) <= set(listed)  # Label Studio does not say whose: those of every project are listed
    assert set(listed) == {version.name for version in site.loop.versions()}


def test_every_unlabelled_task_gets_the_new_versions_prediction(site: Site, story: Story) -> None:
    [version] = story.versions
    site.wait(f"predictions of {version}", lambda: site.is_shown(story.project, version))
    for task in site.label_studio.unlabelled_tasks(story.project.id):
        [prediction] = [each for each in predictions(site, task.id) if each["model_version"] == version]
        assert 0 <= prediction["score"] <= 1
        for region in prediction["result"]:
            value = region["value"]
            assert task.data["text"][value["start"] : value["end"]] == value["text"]


def test_the_next_task_is_the_least_certain_one_and_comes_with_pre_labels(site: Site, story: Story) -> None:
    site.api("PATCH", f"/api/projects/{story.project.id}", json={"sampling": "Uncertainty sampling"})
    scores = {
        task: prediction["score"]
        for task in unlabelled(site, story)
        for prediction in predictions(site, task)
        if prediction["model_version"] == story.versions[-1]
    }
    served = site.api("GET", f"/api/projects/{story.project.id}/next")
    assert scores[served["id"]] == min(scores.values())
    assert story.versions[-1] in {prediction["model_version"] for prediction in served["predictions"]}
    site.api("PATCH", f"/api/projects/{story.project.id}", json={"sampling": "Sequential sampling"})


def test_a_task_labelled_updated_and_deleted_counts_once(site: Site, story: Story) -> None:
    assert changed(site, story) == 0
    task = site.label_studio.unlabelled_tasks(story.project.id)[0]
    annotation = site.label_studio.annotate(task.id, [])
    site.wait("the new annotation", lambda: changed(site, story) == 1)
    result = regions(task.data["text"], samples.documents()[-12].spans, LabelConfig.from_xml(CONFIG))
    site.api("PATCH", f"/api/annotations/{annotation}/", json={"result": result})
    site.api("DELETE", f"/api/annotations/{annotation}/")
    time.sleep(1)
    assert changed(site, story) == 1


def test_a_skipped_task_counts(site: Site, story: Story) -> None:
    task = unlabelled(site, story)[1]
    site.api("POST", f"/api/tasks/{task}/annotations/", json={"result": [], "was_cancelled": True})
    site.wait("the skipped task", lambda: changed(site, story) == 2)


def test_crossing_the_threshold_trains_a_version_that_pre_labels_at_once(site: Site, story: Story) -> None:
    assert THRESHOLD == 3
    task = unlabelled(site, story)[2]
    site.label_studio.annotate(task, [])
    run = site.wait("a queued run", lambda: site.loop.store.runs.latest(project=story.uid, states=LIVE))[0]
    assert run.reason == "3 changed tasks"
    done = site.wait("the second version", lambda: ended(site, run))
    assert (done.state, done.version) == ("finished", "ner-v2"), done.error
    assert changed(site, story) == 0
    story.versions.append("ner-v2")
    site.wait("predictions of ner-v2", lambda: site.is_shown(story.project, "ner-v2"))
    setup = site.api("GET", f"/api/ml/{story.backend_id}")
    assert setup["model_version"] == "ner-v2"


def test_tasks_imported_later_are_pre_labelled_by_themselves(site: Site, story: Story) -> None:
    site.label_studio.import_tasks(story.project.id, [{"data": {"text": "cheap ramen near the old bridge"}}])
    site.wait("the new task's prediction", lambda: site.is_shown(story.project, "ner-v2"), seconds=60)


def test_rolling_back_shows_the_earlier_versions_predictions(site: Site, story: Story) -> None:
    site.loop.promote(story.uid, "ner-v1")
    site.wait("predictions of ner-v1", lambda: site.is_shown(story.project, "ner-v1"), seconds=60)


def test_labels_whose_webhooks_were_lost_are_found_again(site: Site, story: Story) -> None:
    [hook] = site.api("GET", f"/api/webhooks/?project={story.project.id}")
    site.api("PATCH", f"/api/webhooks/{hook['id']}/", json={"url": hook["url"], "is_active": False})
    site.label_studio.annotate(unlabelled(site, story)[3], [])
    assert changed(site, story) == 0
    site.wait("the lost label", lambda: changed(site, story) == 1, seconds=90)


def test_export_writes_what_label_studio_holds(site: Site, story: Story, tmp_path: Path) -> None:
    out = tmp_path / "out.conll"
    done = subprocess.run(
        [sys.executable, "-m", "backend", "export", "--project", str(story.project.id), str(out)],
        env={**os.environ, **site.settings.environment()},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    with out.open(encoding="utf-8") as stream, Path(f"{out}.jsonl").open(encoding="utf-8") as sidecar:
        documents = {document.id: document for document in to_documents(read_conll(stream), sidecar)}
    exported, _ = read_tasks(site.label_studio.labelled_tasks(story.project.id), LabelConfig.from_xml(CONFIG))
    assert [documents[one.id].spans for one in exported] == [one.spans for one in exported]
    assert sum(len(one.spans) for one in exported) > 50


def test_connect_works_without_credentials_and_takes_earlier_ones_back(site: Site) -> None:
    port = free_port()
    unsecured = site.settings.model_copy(update={"port": port, "basic_auth_user": None, "basic_auth_pass": None})
    url = f"http://localhost:{port}"
    site.processes.start("serve-open", [sys.executable, "-m", "backend", "serve"], unsecured.environment())
    site.processes.wait_for(f"{url}/health", name="serve-open", seconds=60, tick=lambda _: None)
    fresh, former = (site.new_project(title, labelled=[], unlabelled=["a"]) for title in ("Open", "Once secured"))

    created = connect(unsecured, site.label_studio, fresh.id, url).backend_id
    assert site.api("GET", f"/api/ml/{created}")["state"] == "CO"

    connect(site.settings, site.label_studio, former.id, url)
    updated = connect(unsecured, site.label_studio, former.id, url).backend_id
    backend = site.api("GET", f"/api/ml/{updated}")
    assert (backend["state"], backend["auth_method"], backend["basic_auth_user"]) == ("CO", "NONE", "")
    [hook] = site.api("GET", f"/api/webhooks/?project={former.id}")
    assert hook["headers"] == {}


def test_a_project_without_labels_fails_its_run_with_a_reason_and_the_loop_goes_on(site: Site) -> None:
    project = site.new_project("Nothing labelled", labelled=[], unlabelled=["a", "b"])
    connection = connect(site.settings, site.label_studio, project.id, site.places.backend_url)
    site.api("POST", f"/api/ml/{connection.backend_id}/train")
    run = site.loop.runs(project.uid)[0]
    done = site.wait("the run's end", lambda: ended(site, run), seconds=90)
    assert done.state == "failed"
    assert "label" in (done.error or "")
    assert site.loop.store.projects.get(project.uid).current_version is None
