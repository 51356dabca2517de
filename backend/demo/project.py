"""The demo's project: waits until the service and Label Studio have done their part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.demo.processes import DemoError, Processes
from backend.evaluation.verdict import describe
from backend.label_studio.api import ProjectSetup, RemoteProject
from backend.loop import Loop
from backend.store.models import LIVE, Version

_LIMIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class DemoProject:
    """The project in Label Studio (``remote``), and what is needed to follow it."""

    loop: Loop
    label_studio: ProjectSetup
    remote: RemoteProject
    processes: Processes

    def current_version(self) -> Version | None:
        project = self.loop.store.projects.find(self.remote.uid)
        if project is None or project.current_version is None:
            return None
        return self.loop.store.versions.get(project.uid, project.current_version)

    def wait_for_version(self, previous: str | None, tick: Callable[[str], None]) -> Version:
        """Wait until another version than ``previous`` serves; raise `DemoError` with the reason if none will."""
        for _ in self._poll("a new version"):
            runs = self.loop.store.runs.latest(project=self.remote.uid, limit=1)
            version = self.current_version()
            if version and version.name != previous:
                return version
            if runs and runs[0].state not in LIVE:
                reason = (runs[0].error or self._newest_in_words()).rstrip(".")
                raise DemoError(f"Training run {runs[0].id} {runs[0].state}: {reason}.")
            if runs:
                tick(f"· {runs[0].phase} {runs[0].progress:.0%}")
        raise AssertionError

    def _newest_in_words(self) -> str:
        versions = self.loop.versions(self.remote.uid)
        return f"{versions[0].name} was {describe(versions[0])}" if versions else "no reason was stored"

    def wait_for_predictions(self, version: str, tick: Callable[[str], None]) -> int:
        """Wait until every unlabelled task has a prediction of ``version`` and annotators are shown it.

        Return the number of these predictions.
        """
        for _ in self._poll(f"predictions of {version}"):
            predicted, unlabelled = self.label_studio.count_predictions(self.remote.id, version)
            shown = self.label_studio.project(self.remote.id).model_version
            if predicted == unlabelled and shown == version:
                return predicted
            tick(f"· {predicted} of {unlabelled}")
        raise AssertionError

    def _poll(self, awaited: str) -> Iterator[None]:
        deadline = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < deadline:
            self.processes.check()
            yield
            time.sleep(0.5)
        raise DemoError(
            f"Waited {_LIMIT_SECONDS / 60:.0f} minutes for {awaited}: "
            f"look into the worker's log, {self.processes.log('work')}."
        )
