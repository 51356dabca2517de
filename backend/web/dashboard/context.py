"""The template variables that every page about one project needs."""

from __future__ import annotations

from typing import Any

from backend.loop import Loop
from backend.store.models import Version
from backend.web.dashboard.colours import LabelColour, label_colours
from backend.web.dashboard.summary import Summary, summarize


def page_context(loop: Loop, uid: str) -> dict[str, Any]:
    """The variables of ``dashboard/base_project.html``; raises `UnknownProject`."""
    summary, versions = summarize(loop, uid), loop.versions(uid)
    project = summary.overview.project
    return {
        "summary": summary,
        "overview": summary.overview,
        "project": project,
        "label_colours": _label_colours(summary, versions),
        "versions": versions,
        "settings": loop.settings,
        "label_studio": f"{loop.settings.label_studio_shown}/projects/{project.id}",
        "task_url": lambda task: loop.settings.task_url(uid, task),
    }


def _label_colours(summary: Summary, versions: list[Version]) -> dict[str, LabelColour]:
    labels = dict.fromkeys(label for version in versions for label in version.labels)
    return label_colours(summary.config, list(labels))
