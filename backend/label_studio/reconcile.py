"""Finds the label changes whose webhooks never arrived."""

from __future__ import annotations

from backend.label_studio.client import LabelStudio
from backend.label_studio.identity import same_project
from backend.store import Store
from backend.store.models import Project


def lost_changes(store: Store, label_studio: LabelStudio, project: Project) -> list[str]:
    """Tasks whose annotations were created or deleted unseen, compared by annotation id.

    The count alone is compared first: it costs Label Studio one small request. A lost edit that changes no count is
    found by the next training run, whose snapshot is always the whole export. Raises `ProjectReplaced`.
    """
    known = store.annotations.of(project.uid)
    remote = same_project(label_studio, project.uid)
    if remote.annotations == len(known):
        return []
    present = label_studio.annotation_tasks(project.id)
    created = {task for annotation, task in present.items() if annotation not in known}
    deleted = {task for annotation, task in known.items() if annotation not in present}
    store.annotations.replace(project.uid, present)
    return [str(task) for task in sorted(created | deleted)]
