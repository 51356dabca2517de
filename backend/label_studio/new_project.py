"""Creates a project from tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backend.errors import Conflict, LabelStudioError, error_of_kind
from backend.label_studio.api import ProjectSetup, RemoteProject
from backend.label_studio.task_import import import_annotated_tasks

_BATCH = 1_000
"""Tasks of one import: Label Studio on SQLite stores so many, with their annotations, in about two seconds."""


def check_title(label_studio: ProjectSetup, title: str) -> None:
    """Raise `Conflict` if a project has this title: an import that is repeated would double the tasks."""
    if existing := label_studio.find_project(title):
        raise Conflict(
            f"Project {existing.id} in Label Studio has the title “{title}” already: choose another --title, "
            "or delete that project."
        )


def create_project(
    label_studio: ProjectSetup,
    title: str,
    label_config: str,
    tasks: Sequence[Mapping[str, Any]],
    *,
    progress: Callable[[int], None] = lambda _: None,
) -> RemoteProject:
    """Create a project, and import tasks in Label Studio's JSON format; ``progress`` gets the number imported so far.

    Raises `LabelStudioError`, which says what is in the project if the import was not completed.
    """
    project = label_studio.create_project(title, label_config)
    done = 0
    try:
        for done in range(0, len(tasks), _BATCH):
            progress(done)
            import_annotated_tasks(label_studio, project.id, tasks[done : done + _BATCH])
    except LabelStudioError as error:
        sentence = str(error).rstrip(".")
        raise error_of_kind(
            type(error).__name__,
            f"{sentence}. The import stopped after {done:,} of {len(tasks):,} tasks: delete project {project.id} in "
            "Label Studio, then start again.",
        ) from error
    progress(len(tasks))
    return project
