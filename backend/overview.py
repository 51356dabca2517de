"""A project's loop at a glance: what every door shows first."""

from __future__ import annotations

from dataclasses import dataclass

from backend.loop import Loop
from backend.store.models import LIVE, Project, Review, Run, Version


@dataclass(frozen=True, slots=True)
class Overview:
    """Where a project's loop stands.

    ``labelled`` is the number of tasks with annotations, ``changed`` of those that changed since the last snapshot,
    ``due_in`` of those that must still change until a run starts by itself (``None``: it never does, or one is live).
    ``running`` is the run that is started or, if none is, the one that is queued; ``last`` the latest that has ended.
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

    @property
    def f1(self) -> float | None:
        """F1 of the current version on its held-out tasks, in [0, 1]; ``None`` while it is not known."""
        return self.current.metrics.get("f1") if self.current else None


def overview(loop: Loop, uid: str) -> Overview:
    """Where a project's loop stands; raises `UnknownProject`."""
    store = loop.store
    project = store.projects.get(uid)
    runs = store.runs.latest(project=uid)
    live = sorted((run for run in runs if run.state in LIVE), key=lambda run: run.state == "queued")
    return Overview(
        project=project,
        labelled=store.annotations.count_tasks(uid),
        changed=store.changes.count(uid),
        threshold=loop.settings.start_training_each_n_updates,
        due_in=None if live else loop.due_in(uid),
        running=next(iter(live), None),
        last=next((run for run in runs if run.state not in LIVE), None),
        current=store.versions.get(uid, project.current_version) if project.current_version else None,
        versions=len(store.versions.of(uid, usable=True)),
        label_issues=store.reviews.count(uid),
        review=store.reviews.get(uid),
    )
