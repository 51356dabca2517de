"""What every page about a project shows around its own matter."""

from __future__ import annotations

from typing import Any

from backend.loop import Loop
from backend.store.models import Version
from backend.web.dashboard.colours import LabelColour, label_colours
from backend.web.dashboard.summary import Summary, glance


def frame(loop: Loop, uid: str) -> dict[str, Any]:
    """The variables of ``dashboard/base_project.html``; raises `UnknownProject`."""
    seen, versions = glance(loop, uid), loop.versions(uid)
    project = seen.seen.project
    return {
        "glance": seen,
        "seen": seen.seen,
        "project": project,
        "label_colours": _label_colours(seen, versions),
        "versions": versions,
        "settings": loop.settings,
        "label_studio": f"{loop.settings.label_studio_shown}/projects/{project.id}",
        "task_url": lambda task: loop.task_url(uid, task),
    }


def _label_colours(seen: Summary, versions: list[Version]) -> dict[str, LabelColour]:
    return label_colours(seen.config, list(dict.fromkeys(label for version in versions for label in version.labels)))
