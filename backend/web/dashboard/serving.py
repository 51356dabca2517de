"""Which version serves: the question before a version is promoted, and the version that a roll back takes."""

from __future__ import annotations

from collections.abc import Sequence

from flask import flash, redirect, render_template, url_for
from werkzeug.wrappers import Response

from backend.errors import UnknownVersion
from backend.loop import Loop
from backend.recipe import Recipe
from backend.store.models import Project, Version
from backend.training.start import continues_from
from backend.web.dashboard import figures
from backend.web.dashboard.blueprint import current_loop, dashboard
from backend.web.dashboard.context import page_context


@dashboard.get("/projects/<uid>/versions/<name>/serve")
def ask_promote(uid: str, name: str) -> Response | str:
    """The question before a version is promoted: what will happen, and how it compares with the one that serves."""
    loop = current_loop()
    context = page_context(loop, uid)
    versions: list[Version] = context["versions"]
    version = next((version for version in versions if version.name == name), None)
    if version is None:
        raise UnknownVersion(uid, name, [version.name for version in versions if not version.pruned_at])
    current: Version | None = context["overview"].current
    if current and version.name == current.name:
        flash(f"{name} serves already.", "done")
        return redirect(url_for("dashboard.project", uid=uid, _anchor="message"), 303)
    unusable = _unusable(loop, version)
    return render_template(
        "dashboard/serve.html",
        **context,
        version=version,
        unusable=unusable,
        starts_from="" if unusable else _starts_from(loop, context["project"], version),
        compared=[row for row in (current, version) if row],
        comparable=current is None or figures.comparable(current, version),
        rolls_back=is_roll_back(version, current),
        previous=previous_version(versions, current.name if current else None),
        documents=loop.store.runs.documents(uid),
        score_of=figures.score_of,
    )


@dashboard.get("/projects/<uid>/versions/<name>/promote")
def open_question(uid: str, name: str) -> Response:
    """Who reloads or bookmarks the address of the button gets the question."""
    return redirect(url_for("dashboard.ask_promote", uid=uid, name=name))


def _unusable(loop: Loop, version: Version) -> str:
    """Why a version cannot serve; empty if it can."""
    if version.pruned_at:
        return f"The files of {version.name} are removed: it cannot serve again."
    if not loop.registry.folder(version.project, version.name).is_dir():
        return f"The files of {version.name} are gone from {loop.registry.model_dir}: it cannot serve."
    return ""


def _starts_from(loop: Loop, project: Project, version: Version) -> str:
    """What the next run starts from if ``version`` serves."""
    recipe = Recipe.from_settings(loop.settings, project.extra_params)
    if continues_from(loop.registry.folder(project.uid, version.name), recipe):
        return version.name
    return f"the base model (`{recipe.base}`)"


def is_roll_back(version: Version, current: Version | None) -> bool:
    """Whether a promotion of ``version`` brings back one that served before the current one."""
    return bool(version.promotions) and current is not None and version.number < current.number


def previous_version(versions: Sequence[Version], current: str | None) -> str | None:
    """The version to roll back to: the one that served before the current one and still has its files.

    A promotion of an older version is a rollback: newer versions that it replaced are not offered again.
    """
    by_name = {version.name: version for version in versions}
    promotions = sorted((row for version in versions for row in version.promotions), key=lambda row: row.id)
    served: list[Version] = []
    for promoted in (by_name[row.version] for row in promotions):
        while served and served[-1].number >= promoted.number:
            served.pop()
        served.append(promoted)
    usable = [version.name for version in served if not version.pruned_at and version.name != current]
    return usable[-1] if usable else None
