"""What every page about a project shows around its own matter."""

from __future__ import annotations

from typing import Any

from backend.dashboard.colours import Paint, paints
from backend.dashboard.glance import Glance, glance
from backend.loop import Loop
from backend.tables import Version


def frame(loop: Loop, uid: str) -> dict[str, Any]:
    """The variables of ``dashboard/base_project.html``; raises `UnknownProject`."""
    seen, versions = glance(loop, uid), loop.versions(uid)
    project = seen.seen.project
    return {
        "glance": seen,
        "seen": seen.seen,
        "project": project,
        "paints": _paints(seen, versions),
        "versions": versions,
        "settings": loop.settings,
        "label_studio": f"{loop.settings.label_studio_shown}/projects/{project.id}",
        "task_url": lambda task: loop.task_url(uid, task),
    }


def _paints(seen: Glance, versions: list[Version]) -> dict[str, Paint]:
    return paints(seen.config, list(dict.fromkeys(label for version in versions for label in version.labels)))
