"""Checks that a number in Label Studio still stands for the project a model learned from."""

from __future__ import annotations

from typing import Protocol

from backend.errors import ProjectReplaced
from backend.label_studio.api import RemoteProject


class Projects(Protocol):
    """The one call this needs of a Label Studio."""

    def project(self, project_id: int) -> RemoteProject: ...


def project_number(uid: str) -> int:
    """A project's number in Label Studio: the part of its uid before the dot."""
    return int(uid.partition(".")[0])


def same_project(label_studio: Projects, uid: str) -> RemoteProject:
    """Fetch the project ``uid`` from Label Studio.

    Raises `ProjectReplaced` where Label Studio has given its number to another project, as a fresh database does: that
    project's tasks and labels must not be mixed with what is stored here.
    """
    project = label_studio.project(project_number(uid))
    if project.uid != uid:
        raise ProjectReplaced(uid, project.uid)
    return project
