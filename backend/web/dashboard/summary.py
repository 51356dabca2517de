"""The state of a project's loop as sentences: the top of the project's page, and what is updated while it is open."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from backend.loop import Loop
from backend.store.models import Run
from backend.store.overview import Overview
from backend.web.dashboard import formatting
from backend.web.dashboard.last_run import LastRun, last_run
from label_config import LabelConfig, UnsupportedLabelConfig

SILENT_SECONDS = 200.0
"""A worker compares every project with Label Studio each minute; after so long without it, no worker is running."""

_MAPPED_AT_ONCE = 20
"""Unknown labels that the form offers to map, the most frequent ones."""

WAITING_SECONDS = 900.0
"""The same while Label Studio does not answer: the worker waits long for each project."""


@dataclass(frozen=True, slots=True)
class Alert:
    """A problem, and what to do about it."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Losses:
    """What a run could not use, and why; ``unknown_labels`` may be mapped, the most frequent one first."""

    title: str
    sentences: tuple[str, ...]
    unknown_labels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """The top of a project's page. ``config`` is ``None`` where the labelling configuration is not supported."""

    overview: Overview
    config: LabelConfig | None
    alerts: tuple[Alert, ...]
    last_run: LastRun | None
    losses: Losses | None

    @property
    def warning(self) -> str | None:
        """The title of the first failure."""
        titles = [alert.title for alert in self.alerts]
        titles += [self.last_run.title] if self.last_run and self.last_run.failed else []
        return next(iter(titles), None)

    @property
    def headline(self) -> str:
        """One sentence: which version serves, or what is missing until one does."""
        overview = self.overview
        if overview.current:
            return f"{overview.current.name} makes the pre-labels in Label Studio."
        if overview.running:
            return "No version serves yet: a run is training one."
        if not overview.labelled and not overview.changed:
            return "No version yet, and no labelled task: label the first ones in Label Studio."
        return "No version serves yet." if overview.latest else "No version yet."

    @property
    def next_run(self) -> str:
        """What starts the next run, and how many tasks are missing until then."""
        overview = self.overview
        if overview.running:
            return ""
        due = overview.due_in
        which = "next" if overview.current else "first"
        if due is None:
            return f"The {which} run starts with the button only."
        if due == 0:
            return f"The {which} run starts with the next labelled task, or now with the button."
        more = "more labelled or changed task" if overview.labelled or overview.changed else "labelled task"
        return f"{formatting.count(due, more)} until the {which} run starts by itself."

    @property
    def syncing(self) -> bool:
        """Whether Label Studio does not have all predictions of the current version yet."""
        project = self.overview.project
        return bool(project.current_version) and project.sync_requested > project.sync_completed

    @property
    def changes_for_run(self) -> int | None:
        """How many tasks must have changed for the next run to start by itself; ``None`` where only people start one.

        More than the threshold where fewer than ``MIN_TASKS_TO_START_TRAINING`` tasks are labelled, or after a
        cancelled run, whose changes start no other run.
        """
        overview = self.overview
        if not overview.threshold:
            return None
        return overview.changed + overview.due_in if overview.due_in else overview.threshold

    @property
    def share_of_changes(self) -> float:
        return min(1.0, self.overview.changed / self.changes_for_run) if self.changes_for_run else 0.0

    @property
    def task_shares(self) -> dict[str, float]:
        """The shares of all tasks that are labelled, and that are labelled or skipped."""
        tasks = self.overview.task_progress
        if tasks is None or not tasks.tasks:
            return {"labelled": 0.0, "skipped": 0.0}
        return {"labelled": tasks.labelled / tasks.tasks, "skipped": 1 - tasks.left / tasks.tasks}

    @property
    def review_percent(self) -> str:
        """``"41 %"`` of the review in progress; empty where none is."""
        review = self.overview.review
        return f"{100 * (review.progress or 0):.0f} %" if review and self.overview.reviewing else ""

    @property
    def first_steps_done(self) -> int:
        """Steps of "What comes next" that are done while no version serves: labelling (1), the first version (2)."""
        overview = self.overview
        if overview.latest:
            return 2
        enough = overview.due_in == 0 if overview.threshold else overview.labelled > 0
        return 1 if enough or overview.running else 0

    def live(self) -> dict[str, Any]:
        """What is updated while a page is open; the rest of the page is the same as long as ``signature`` is."""
        overview, run, tasks = self.overview, self.overview.running, self.overview.task_progress
        signature = [
            run and (run.id, run.state), overview.last and overview.last.id, overview.project.current_version,
            overview.versions, overview.label_issues, overview.labelled > 0, self.syncing, self.first_steps_done,
            [(alert.title, alert.text) for alert in self.alerts],
            overview.reviewing, overview.review and overview.review.ended_at,
            self.last_run and self.last_run.title, self.losses, overview.read and overview.read.id, overview.mappings,
            tasks is None,
        ]  # fmt: skip
        return {
            "signature": str(signature),
            "texts": {
                "labelled": f"{overview.labelled:,}",
                "changed": f"{overview.changed:,}",
                "changes-for-run": f"{self.changes_for_run or 0:,}",
                "next": self.next_run,
                "phase": phase(run) if run else "",
                "left": formatting.left(run.eta_seconds) if run else "",
                "review": self.review_percent,
                "percent": f"{100 * run.progress:.0f} %" if run and run.state == "started" else "",
                "skipped-tasks": f"{tasks.skipped:,}" if tasks else "",
                "left-tasks": f"{tasks.left:,}" if tasks else "",
                "all-tasks": formatting.count(tasks.tasks, "task") if tasks else "",
                "counted": formatting.ago(tasks.counted_at) if tasks else "",
            },
            "task-shares": self.task_shares,
            "review": overview.review.progress if overview.review and overview.reviewing else None,
            "progress": run.progress if run and run.state == "started" else None,
            "share": self.share_of_changes,
        }


def phase(run: Run) -> str:
    """``"Training"``, ``"Waiting for a worker"``"""
    return "Waiting for a worker" if run.state == "queued" else run.phase.capitalize()


def summarize(loop: Loop, uid: str) -> Summary:
    """The state of a project's loop; raises `UnknownProject`."""
    overview = loop.overview(uid)
    alerts = _alerts(overview)
    config = None
    try:
        config = LabelConfig.from_xml(overview.project.label_config)
    except UnsupportedLabelConfig as error:
        alerts.insert(0, Alert("This project's labelling configuration is not supported", str(error)))
    return Summary(overview, config, tuple(alerts), last_run(overview, loop.versions(uid)), _losses(overview))


def _losses(overview: Overview) -> Losses | None:
    """``None`` before the first run, where all regions are used, and where those that are not have been mapped."""
    conversion = overview.conversion
    if conversion is None or not overview.has_losses:
        return None
    total = conversion.total
    title = f"{total.lost_regions:,} of {formatting.count(total.regions, 'region')} are not used"
    if not total.lost_regions:
        title = (
            f"{total.tasks - total.tasks_used:,} of {formatting.count(total.tasks, 'labelled task')} could not be read"
        )
    sentences = [f"{formatting.capitalize_first(sentence)}." for sentence in overview.loss_sentences]
    unknown = [label for label in conversion.unknown_labels if label not in overview.newly_mapped]
    return Losses(title, tuple(sentences), tuple(unknown[:_MAPPED_AT_ONCE]))


def _alerts(overview: Overview) -> list[Alert]:
    project, alerts = overview.project, []
    worker_seen_at = overview.worker_seen_at or project.created_at
    if time.time() - worker_seen_at > (WAITING_SECONDS if project.sync_error else SILENT_SECONDS):
        alerts.append(
            Alert(
                "No worker is running",
                "Without one nothing is trained and Label Studio gets no predictions: "
                "start one with `python -m backend work`, or read its log.",
            )
        )
    if project.sync_error:
        alerts.append(Alert("The last comparison with Label Studio failed", project.sync_error))
    alerts += [Alert("Some tasks have no regions from the model", text) for text in overview.unread_sentences]
    return alerts
