"""The state of a project's loop, read from all tables: what the command line and the dashboard show first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backend.scores import Score
from backend.store.models import LIVE, Project, Review, Run, Version

if TYPE_CHECKING:
    from backend.store import Store


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of a project's loop.

    ``labelled`` is the number of tasks with annotations, ``changed`` of those that changed since the last snapshot,
    ``due_in`` of those that must still change until a run starts by itself (``None``: none ever does, or one is live).
    ``running`` is the run that is started or, if none is, the one that is queued; ``last`` the latest that has ended.
    ``worker_seen_at`` is when a worker last did something for the project (Unix time), ``reviewing`` whether its labels
    are being reviewed now.
    """

    project: Project
    labelled: int
    changed: int
    threshold: int
    due_in: int | None
    running: Run | None
    last: Run | None
    current: Version | None
    versions: int
    label_issues: int
    review: Review | None
    reviewing: bool
    worker_seen_at: float | None

    @property
    def score(self) -> Score:
        """The current version's score; unknown where none serves."""
        return Score.from_metrics(self.current.metrics if self.current else {})


def read_overview(store: Store, uid: str, *, threshold: int, due_in: int | None) -> Overview:
    """Read a project's overview; ``threshold`` and ``due_in`` as in `Overview`. Raises `UnknownProject`."""
    project = store.projects.get(uid)
    runs = store.runs.latest(project=uid)
    live = sorted((run for run in runs if run.state in LIVE), key=lambda run: run.state == "queued")
    running = next(iter(live), None)
    run_renewed_at = store.leases.renewed_at("run", running.id) if running else None
    return Overview(
        project=project,
        labelled=store.annotations.count_tasks(uid),
        changed=store.changes.count(uid),
        threshold=threshold,
        due_in=None if live else due_in,
        running=running,
        last=next((run for run in runs if run.state not in LIVE), None),
        current=store.versions.get(uid, project.current_version) if project.current_version else None,
        versions=len(store.versions.of(uid, usable=True)),
        label_issues=store.reviews.count(uid),
        review=store.reviews.get(uid),
        reviewing=store.reviews.in_progress(uid),
        worker_seen_at=max(filter(None, (project.synced_at, run_renewed_at)), default=None),
    )
