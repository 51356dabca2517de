"""Compares a project with Label Studio: the label changes whose webhooks never arrived, and the numbers of tasks."""

from __future__ import annotations

import time

from backend.label_studio.api import Annotations, RemoteProject
from backend.label_studio.identity import same_project
from backend.store import Store
from backend.store.models import Project


def lost_changes(store: Store, label_studio: Annotations, project: Project) -> list[str]:
    """Tasks whose annotations were created or deleted without a webhook, compared by annotation id.

    The number of annotations is compared first: it costs Label Studio one small request. A lost edit, which changes no
    number, is found by the next training run, whose snapshot is always the whole export. The numbers of tasks are
    stored, too (`TaskCounts`). Raises `ProjectReplaced`.

    Earlier releases stored the ids of annotations that skip a task, too, and no numbers of tasks. At the first
    comparison, when these are missing, such ids are forgotten and their tasks are not changed. A task that was labelled
    and then skipped while the service was stopped for the upgrade looks the same and is not counted either.
    """
    stored = store.annotations.of(project.uid)
    remote = same_project(label_studio, project.uid)
    changed: set[int] = set()
    if remote.annotations != len(stored):
        present = label_studio.annotation_tasks(project.id)
        created = {task for annotation, task in present.items() if annotation not in stored}
        deleted = {annotation: task for annotation, task in stored.items() if annotation not in present}
        if deleted and remote.skips and project.task_counts is None:
            skips = label_studio.skips(project.id)
            deleted = {annotation: task for annotation, task in deleted.items() if annotation not in skips}
        store.annotations.replace(project.uid, present)
        changed = created | set(deleted.values())
    _count_tasks(store, label_studio, project, remote)
    return [str(task) for task in sorted(changed)]


def _count_tasks(store: Store, label_studio: Annotations, project: Project, remote: RemoteProject) -> None:
    """Store the numbers of tasks; those that are skipped are counted again only after people skipped or submitted."""
    before = project.task_counts or {}
    skipped = 0
    if remote.skips:
        same = (before.get("annotations"), before.get("skips")) == (remote.annotations, remote.skips)
        skipped = before["skipped"] if same else label_studio.count_skipped_tasks(project.id)
    store.projects.note_counts(
        project.uid,
        {
            "tasks": remote.tasks,
            "skipped": skipped,
            "annotations": remote.annotations,
            "skips": remote.skips,
            "counted_at": time.time(),
        },
    )
