"""Checks that a project's number in Label Studio still means the project that a model was trained for."""

from __future__ import annotations

from backend.errors import ProjectReplaced
from backend.label_studio.api import Projects, RemoteProject
from backend.store.models import project_number


def same_project(label_studio: Projects, uid: str) -> RemoteProject:
    """Fetch the project ``uid`` from Label Studio.

    Raises `ProjectReplaced` where Label Studio has given its number to another project, as after a reset of its
    database: that project's tasks and labels must not be mixed with what is stored here.
    """
    project = label_studio.project(project_number(uid))
    if project.uid != uid:
        raise ProjectReplaced(uid, project.uid)
    return project
