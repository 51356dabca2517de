"""Finds the label changes whose webhooks never arrived."""

from __future__ import annotations

from backend.label_studio.api import Annotations
from backend.label_studio.identity import same_project
from backend.store import Store
from backend.store.models import Project


def lost_changes(store: Store, label_studio: Annotations, project: Project) -> list[str]:
    """Tasks whose annotations were created or deleted without a webhook, compared by annotation id.

    The number of annotations is compared first: it costs Label Studio one small request. A lost edit, which changes no
    number, is found by the next training run, whose snapshot is always the whole export. Raises `ProjectReplaced`.
    """
    stored = store.annotations.of(project.uid)
    if same_project(label_studio, project.uid).annotations == len(stored):
        return []
    present = label_studio.annotation_tasks(project.id)
    created = {task for annotation, task in present.items() if annotation not in stored}
    deleted = {task for annotation, task in stored.items() if annotation not in present}
    store.annotations.replace(project.uid, present)
    return [str(task) for task in sorted(created | deleted)]
