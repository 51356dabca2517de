"""Waits for what the worker does to the demonstration's project."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from backend.demo.processes import DemoError, Processes
from backend.label_studio.api import RemoteProject
from backend.label_studio.client import LabelStudio
from backend.loop import Loop
from backend.store.models import LIVE, Version

_LIMIT_SECONDS = 1800.0


@dataclass(frozen=True, slots=True)
class Watch:
    """One project, seen from the service's database and from Label Studio."""

    loop: Loop
    label_studio: LabelStudio
    project: RemoteProject
    processes: Processes

    def current_version(self) -> Version | None:
        known = self.loop.store.projects.find(self.project.uid)
        if known is None or known.current_version is None:
            return None
        return self.loop.store.versions.get(self.project.uid, known.current_version)

    def new_version(self, before: str | None, tick: Callable[[str], None]) -> Version:
        """Wait until another version than ``before`` serves; raise `DemoError` with the reason if none will."""
        for _ in self._every_half_second("a new version"):
            runs = self.loop.store.runs.latest(project=self.project.uid, limit=1)
            version = self.current_version()
            if version and version.name != before:
                return version
            if runs and runs[0].state not in LIVE:
                reason = self._why(runs[0].error).rstrip(".")
                raise DemoError(f"Training run {runs[0].id} {runs[0].state}: {reason}.")
            if runs:
                tick(f"· {runs[0].phase} {runs[0].progress:.0%}")
        raise AssertionError

    def _why(self, error: str | None) -> str:
        newest = self.loop.versions(self.project.uid)
        return error or (f"{newest[0].name} {newest[0].verdict}" if newest else "no reason was noted")

    def predictions(self, version: str, tick: Callable[[str], None]) -> int:
        """Wait until every unlabelled task has a prediction of ``version`` and annotators are shown it."""
        for _ in self._every_half_second(f"predictions of {version}"):
            predicted, unlabelled = self.label_studio.count_predictions(self.project.id, version)
            shown = self.label_studio.project(self.project.id).model_version
            if predicted == unlabelled and shown == version:
                return predicted
            tick(f"· {predicted} of {unlabelled}")
        raise AssertionError

    def _every_half_second(self, what: str) -> Iterator[None]:
        deadline = time.monotonic() + _LIMIT_SECONDS
        while time.monotonic() < deadline:
            self.processes.check()
            yield
            time.sleep(0.5)
        raise DemoError(f"Waited {_LIMIT_SECONDS / 60:.0f} minutes for {what} in vain; the logs are in .demo.")
