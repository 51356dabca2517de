"""Where a project's loop stands, as sentences: what the page shows first and keeps up to date."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from backend.loop import Loop
from backend.overview import Overview, overview
from backend.store.models import Run
from backend.web.dashboard import formatting
from label_config import LabelConfig, UnsupportedLabelConfig

SILENT_SECONDS = 200.0
"""A worker compares every project with Label Studio each minute; one that has not for so long is not there."""

WAITING_SECONDS = 900.0
"""The same where Label Studio is in trouble: the worker waits long for an answer about each project."""


@dataclass(frozen=True, slots=True)
class Alert:
    """Something is in the way: what it is, and what to do about it."""

    title: str
    text: str
    run: str | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the top of a project's page says. ``config`` is ``None`` where it cannot be learned."""

    seen: Overview
    config: LabelConfig | None
    alerts: tuple[Alert, ...]

    @property
    def headline(self) -> str:
        """One sentence: what serves, or what is missing until something does."""
        if self.seen.current:
            return f"{self.seen.current.name} answers Label Studio."
        if self.seen.running:
            return "No model yet: the first one is being made."
        if not self.seen.labelled and not self.seen.changed:
            return "No model yet, and no labelled task: label the first ones in Label Studio."
        return "No model yet."

    @property
    def next_run(self) -> str:
        """What starts the next training, and how many tasks are missing until then."""
        if self.seen.running:
            return ""
        due = self.seen.due_in
        which = "next" if self.seen.current else "first"
        if due is None:
            return f"The {which} training starts with the button: nothing starts it by itself."
        if due == 0:
            return f"The {which} training starts with the next label, or now with the button."
        more = "more labelled or changed task" if self.seen.labelled or self.seen.changed else "labelled task"
        return f"{formatting.count(due, more)} until the {which} training starts by itself."

    @property
    def refreshing(self) -> bool:
        """Whether Label Studio does not have all the predictions of the current version yet."""
        project = self.seen.project
        return bool(project.current_version) and project.refresh_wanted > project.refresh_done

    @property
    def share_of_threshold(self) -> float:
        return min(1.0, self.seen.changed / self.seen.threshold) if self.seen.threshold else 0.0

    def live(self) -> dict[str, Any]:
        """What changes while a page is open; all else on the page is the same as long as ``signature`` is."""
        seen, run = self.seen, self.seen.running
        signature = [
            run and (run.id, run.state), seen.last and seen.last.id, seen.project.current_version, seen.versions,
            seen.label_issues, seen.labelled > 0, self.refreshing, [(each.title, each.text) for each in self.alerts],
        ]  # fmt: skip
        return {
            "signature": str(signature),
            "texts": {
                "labelled": f"{seen.labelled:,}",
                "changed": f"{seen.changed:,}",
                "next": self.next_run,
                "phase": phase(run) if run else "",
                "left": formatting.left(run.eta_seconds) if run else "",
                "percent": f"{100 * run.progress:.0f} %" if run and run.state == "started" else "",
            },
            "progress": run.progress if run and run.state == "started" else None,
            "share": self.share_of_threshold,
        }


def phase(run: Run) -> str:
    """``"Training"``, ``"Waiting for a worker"``"""
    return "Waiting for a worker" if run.state == "queued" else run.phase.capitalize()


def glance(loop: Loop, uid: str) -> Summary:
    """Where a project's loop stands; raises `UnknownProject`."""
    seen = overview(loop, uid)
    alerts = list(_alerts(seen))
    config = None
    try:
        config = LabelConfig.from_xml(seen.project.label_config)
    except UnsupportedLabelConfig as error:
        alerts.insert(0, Alert("This project's labelling configuration cannot be learned", str(error)))
    return Summary(seen, config, tuple(alerts))


def _alerts(seen: Overview) -> list[Alert]:
    project, alerts = seen.project, []
    heard = max(project.synced_at or project.created_at, seen.running.heartbeat_at or 0 if seen.running else 0)
    if time.time() - heard > (WAITING_SECONDS if project.sync_error else SILENT_SECONDS):
        alerts.append(
            Alert(
                "No worker is at work",
                "Without one nothing is trained and Label Studio gets no predictions: "
                "start it with `python -m backend work`, or look into its log.",
            )
        )
    if project.sync_error:
        alerts.append(Alert("The last look into Label Studio failed", project.sync_error))
    if seen.last and seen.last.state == "failed" and not seen.running:
        alerts.append(Alert("The last training failed", seen.last.error or "No reason was noted.", seen.last.id))
    return alerts
