"""Labels that are probably mistakes: look for them, list them, point them out in Label Studio."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import json_option, open_loop, project_option, uid_of
from backend.commands.progress import Bar
from backend.commands.tables import fields_of, moment, show_json, show_table
from backend.errors import Conflict
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.loop import Loop
    from backend.store.models import LabelIssue, Review


@click.command("label-issues")
@project_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="List at most so many.")
@json_option
@click.option("--push", "pushes", is_flag=True, help="Mark them all in Label Studio, and give it a tab with them.")
@click.option("--now", "at_once", is_flag=True, help="Look for them now: this takes as long as a training run or two.")
@click.pass_obj
def label_issues(settings: Settings, project: str, limit: int, as_json: bool, pushes: bool, at_once: bool) -> None:
    """List labels that are probably mistakes, the surest first.

    Models that have not seen a task disagree with its labels. `work` looks for such tasks after a training run, when
    nothing waits to be trained (LABEL_ISSUES=false: never). A task whose labels change is taken off the list.
    """
    loop = open_loop(settings)
    uid = uid_of(settings, loop, project)
    if at_once:
        _review(loop, uid)
    if pushes:
        _push(loop, uid)
    found = loop.label_issues(uid, limit)
    sentence = _state(loop, uid, found)
    if as_json:
        show_json(_fields(loop, uid, each) for each in found)
    elif found:
        headings = ("score", "task", "mistake", "text", "given", "the model's view", "link")
        show_table(headings, (_row(loop, uid, each) for each in found))
    if sentence:
        click.echo(sentence, err=as_json or bool(found))


def _review(loop: Loop, uid: str) -> None:
    from backend.training.review import run_review

    review = loop.store.reviews.begin(uid)
    if review is None:
        raise Conflict("The project's labels are being reviewed already: wait for the end, and list what was found.")
    try:
        with Bar("Looking for wrong labels", total=1.0) as bar:
            run_review(loop.settings, loop.store, review, progress=bar.show)
    finally:
        loop.store.reviews.release(review.id)


def _push(loop: Loop, uid: str) -> None:
    from backend.label_studio.client import open_label_studio
    from backend.label_studio.label_issues_tab import TAB, push

    project = loop.store.projects.get(uid)
    label_studio = open_label_studio(loop.settings, project)
    with Bar("Label Studio", total=1.0) as bar:
        number = push(label_studio, uid, loop.label_issues(uid), progress=bar.show)
    where = f"{loop.settings.label_studio_shown}/projects/{project.id}/data"
    click.echo(f"{number} tasks are marked in Label Studio; they are in the tab “{TAB}” of {where}.", err=True)


def _state(loop: Loop, uid: str, found: list[LabelIssue]) -> str | None:
    """What there is to say besides the list."""
    review = loop.review(uid)
    if review is None:
        return f"The labels of this project have not been reviewed yet: {_remedy(loop)}"
    former = "; this is what the one before found" if found else ""
    if review.ended_at is None:
        going = "is going on" if review.until > time.time() else "was interrupted, and goes on when a worker is free"
        return f"A review of the labels {going}{former}."
    if review.error:
        return f"The latest review of the labels failed{former}. {review.error}"
    return None if found else _nothing(review)


def _remedy(loop: Loop) -> str:
    if not loop.settings.label_issues:
        return "LABEL_ISSUES is false, so look for wrong labels with --now."
    return "a worker does so after the next training run, --now does it here."


def _nothing(review: Review) -> str:
    return (
        f"Of {review.tasks:,} labelled tasks, reviewed {moment(review.ended_at)}, none holds a label that is probably "
        "a mistake and has not changed since."
    )


def _row(loop: Loop, uid: str, issue: LabelIssue) -> tuple[str, ...]:
    return (
        f"{issue.score:.2f}",
        issue.task,
        issue.kind,
        issue.text,
        issue.given or "–",
        issue.view,
        loop.task_url(uid, issue.task),
    )


def _fields(loop: Loop, uid: str, issue: LabelIssue) -> dict[str, Any]:
    return {**fields_of(issue, without=("id", "project")), "url": loop.task_url(uid, issue.task)}
