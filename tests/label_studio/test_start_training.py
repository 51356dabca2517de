"""Label Studio's own "Start model training on annotation submission", and its button beside it."""

from __future__ import annotations

import pytest

from backend.loop import BUTTON
from backend.store.start_requests import WAIT_SECONDS
from tests.label_studio.conftest import Connected
from tests.site import Site

pytestmark = pytest.mark.label_studio


def test_submitted_annotation_is_counted_and_the_button_trains(site: Site, project: Connected) -> None:
    site.api("PATCH", f"/api/projects/{project.id}", json={"start_training_on_annotation_update": True})
    projects = site.loop.store.projects
    site.wait("the project's setting", lambda: projects.get(project.uid).starts_training_every == 1, 20)
    first, second, _ = project.unlabelled()
    annotation = site.label_studio.annotate(first.id, [])
    site.api("POST", f"/api/tasks/{second.id}/annotations/", json={"result": [], "was_cancelled": True})
    site.api("PATCH", f"/api/annotations/{annotation}", json={"result": []})
    site.label_studio.start_training(project.backend_id)
    [run] = site.wait("the button's run", lambda: site.loop.runs(project.uid), WAIT_SECONDS + 20)
    assert run.reason == BUTTON
    project.wait_for_end(run)
    assert project.changed_tasks() == 1
    assert [earlier.reason for earlier in site.loop.runs(project.uid)] == [BUTTON]
    assert site.loop.store.start_requests.take_due() == set()
