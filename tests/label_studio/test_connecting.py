"""``connect`` and ``check`` with a real Label Studio, and what they say of faults that are planted there."""

from __future__ import annotations

import pytest

from backend.check.run import run_checks
from backend.errors import ServiceUnreachable
from backend.label_studio.client import open_label_studio
from backend.label_studio.connect import connect, webhook_url
from tests.label_studio.conftest import Connected
from tests.site import CONFIG, Site

pytestmark = pytest.mark.label_studio


def faults(site: Site, project: Connected) -> dict[str, str]:
    results = list(run_checks(site.settings, project.id, open_label_studio))
    return {result.item: result.outcome.text for result in results if result.outcome.state == "fault"}


def test_refused_connection_leaves_nothing_on_either_side(site: Site) -> None:
    remote = site.label_studio.create_project("refused", CONFIG)
    with pytest.raises(ServiceUnreachable, match=r"at http://localhost:9 \(nothing listens there\): start `python"):
        connect(site.settings, site.label_studio, remote.id, "http://localhost:9")
    assert site.label_studio.backends(remote.id) == []
    assert site.label_studio.webhooks(remote.id) == []
    assert site.loop.store.projects.find(remote.uid) is None


def test_connected_project_has_no_fault_and_its_tasks_come_by_uncertainty(site: Site, project: Connected) -> None:
    assert faults(site, project) == {}
    assert site.label_studio.project(project.id).by_uncertainty


def test_planted_faults_are_named(site: Site, project: Connected) -> None:
    webhook = webhook_url(site.places.backend_url)
    site.label_studio.save_webhook(project.id, webhook, None)
    site.api("PATCH", f"/api/projects/{project.id}/", json={"show_collab_predictions": False})
    named = faults(site, project)
    assert list(named) == ["webhook", "predictions shown"]
    assert "sends no user name and password" in named["webhook"]
    connect(site.settings, site.label_studio, project.id, site.places.backend_url)
    assert faults(site, project) == {}
    site.label_studio.delete_webhook(project.id, webhook)
    assert list(faults(site, project)) == ["webhook"]
