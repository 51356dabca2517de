"""Projects for the tests of this folder: each test has its own, so that the tests run alone and in any order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backend.label_studio.api import RemoteProject, UnlabelledTask
from backend.label_studio.connect import connect
from backend.store.models import LIVE, Run
from tests import samples
from tests.site import Site

NOTHING_TO_FIND = "Hello there, how are you today?"
LABELLED = samples.documents()[:-12]
UNLABELLED = [document.text for document in samples.documents()[-12:]] + [NOTHING_TO_FIND]


@dataclass(frozen=True)
class Connected:
    """A project that is connected to the service."""

    site: Site
    remote: RemoteProject
    backend_id: int

    @property
    def id(self) -> int:
        return self.remote.id

    @property
    def uid(self) -> str:
        return self.remote.uid

    def unlabelled(self) -> list[UnlabelledTask]:
        return self.site.label_studio.unlabelled_tasks(self.id)

    def predictions(self, task: int) -> list[dict[str, Any]]:
        predictions: list[dict[str, Any]] = self.site.api("GET", f"/api/predictions/?task={task}")
        return predictions

    def changed_tasks(self) -> int:
        """How many tasks the service counts as changed."""
        return self.site.loop.store.changes.count(self.uid)

    def wait_for_end(self, run: Run, seconds: float = 240) -> Run:
        ended = self.site.wait(
            f"the end of run {run.id}",
            lambda: (now := self.site.loop.run(run.id)).state not in LIVE and now,
            seconds,
        )
        assert isinstance(ended, Run)
        return ended

    def wait_for_predictions(self, version: str, seconds: float = 240) -> None:
        self.site.wait(f"predictions of {version}", lambda: self.site.is_shown(self.remote, version), seconds)


@pytest.fixture
def new_project(site: Site, request: pytest.FixtureRequest) -> Callable[..., Connected]:
    """Make a project named after the test, and connect it."""

    def new(*, labelled: bool = False, unlabelled: int = len(UNLABELLED)) -> Connected:
        project = site.new_project(
            request.node.name[:50], labelled=LABELLED if labelled else [], unlabelled=UNLABELLED[:unlabelled]
        )
        connection = connect(site.settings, site.label_studio, project.id, site.places.backend_url)
        return Connected(site, project, connection.backend_id)

    return new


@pytest.fixture
def project(new_project: Callable[..., Connected]) -> Connected:
    """A connected project with three unlabelled tasks and no version."""
    return new_project(unlabelled=3)


@pytest.fixture
def served(new_project: Callable[..., Connected], site: Site, version_folder: Path) -> Connected:
    """A connected project whose unlabelled tasks have the predictions of its version ``ner-v1``."""
    project = new_project()
    site.publish(project.remote, "ner-v1", version_folder)
    site.loop.promote(project.uid, "ner-v1", actor="test")
    project.wait_for_predictions("ner-v1")
    return project
