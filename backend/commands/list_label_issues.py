"""``label-issues``: find labels that are probably mistakes, list them, mark them in Label Studio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import json_option, open_loop, project_option, project_uid
from backend.commands.output import fields_of, moment, shorten, show_json, show_table
from backend.commands.progress_bar import Bar
from backend.errors import Conflict, InvalidRequest
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.loop import Loop
    from backend.store.models import LabelIssue, Review


@click.command("label-issues")
@project_option
@click.option("--limit", default=20, show_default=True, type=click.IntRange(min=1), help="List at most this many.")
@json_option
@click.option("--push", "pushes", is_flag=True, help="Mark them all in Label Studio, in a tab of their own.")
@click.option("--now", "review_now", is_flag=True, help="Search now: this takes as long as one or two training runs.")
@click.option(
    "--accept", "accepted", multiple=True, metavar="ID", help="The label of this issue is right: list it no more."
)
@click.pass_obj
def label_issues(
    settings: Settings,
    project: str,
    limit: int,
    as_json: bool,
    pushes: bool,
    review_now: bool,
    accepted: tuple[str, ...],
) -> None:
    """List labels that are probably mistakes, the most certain first.

    Models that were not trained on a task disagree with its labels. `work` searches for such tasks after a training
    run, when no other run waits (LABEL_ISSUES=false: never). A task whose labels change is removed from the list.
    """
    loop = open_loop(settings)
    uid = project_uid(settings, loop, project)
    for key in accepted:
        _accept(loop, uid, key)
    if review_now:
        _review(loop, uid)
    if pushes:
        _push(loop, uid)
    issues = loop.label_issues(uid, limit)
    sentence = _state(loop, uid, issues)
    if as_json:
        show_json(_fields(loop, uid, issue) for issue in issues)
    elif issues:
        headings = ("id", "score", "task", "mistake", "text", "given", "by", "the model's view", "link")
        show_table(headings, (_row(loop, uid, issue) for issue in issues))
    if sentence:
        click.echo(sentence, err=as_json or bool(issues))


def _accept(loop: Loop, uid: str, key: str) -> None:
    issue = loop.accept_label(uid, key)
    if issue is None:
        raise InvalidRequest(f"There is no label issue {key!r}: `python -m backend label-issues` lists their ids.")
    click.echo(f"“{issue.text}” in task {issue.task} is right as it is, and is listed no more.", err=True)


def _review(loop: Loop, uid: str) -> None:
    from backend.worker import review_now

    with Bar("Searching for label issues", total=1.0) as bar:
        review_now(loop, uid, on_progress=bar.show)


def _push(loop: Loop, uid: str) -> None:
    from backend.label_studio.client import open_label_studio
    from backend.label_studio.label_issues_tab import TAB, push
    from backend.label_studio.texts import loader_of

    issues = loop.label_issues(uid)
    if not issues and (reason := _unfinished(loop, uid, issues)):
        raise Conflict(f"{reason} Nothing was changed in Label Studio.")
    project = loop.store.projects.get(uid)
    label_studio = open_label_studio(loop.settings, project)
    with Bar("Label Studio", total=1.0) as bar:
        count = push(
            label_studio, uid, issues, progress=bar.show,
            open_loader=lambda config: loader_of(config, loop.settings, project),
        )  # fmt: skip
    url = f"{loop.settings.label_studio_shown}/projects/{project.id}/data"
    click.echo(f"{count} tasks are marked in Label Studio; they are in the tab “{TAB}” of {url}.", err=True)


def _state(loop: Loop, uid: str, issues: list[LabelIssue]) -> str | None:
    """What the list does not show: whether a review is in progress, failed, or found nothing."""
    if unfinished := _unfinished(loop, uid, issues):
        return unfinished
    review = loop.store.reviews.get(uid)
    return _nothing_found(review) if review and not issues else None


def _unfinished(loop: Loop, uid: str, issues: list[LabelIssue]) -> str | None:
    """Why the latest review has no result; ``None`` where it has one."""
    from backend.store.models import TOO_FEW_LABELS

    review = loop.store.reviews.get(uid)
    if review is None:
        return f"The labels of this project have not been reviewed yet: {_remedy(loop)}"
    earlier = "; these issues are from the review before" if issues else ""
    if review.ended_at is None:
        if loop.store.reviews.in_progress(uid):
            return f"A review of the labels is in progress{earlier}."
        return f"A review of the labels was interrupted, and continues when a worker is free{earlier}."
    if review.error and review.error_kind == TOO_FEW_LABELS:
        return review.error
    if review.error:
        return f"The latest review of the labels failed{earlier}. {review.error}"
    return None


def _remedy(loop: Loop) -> str:
    if not loop.settings.label_issues:
        return "LABEL_ISSUES is false, so search for label issues with --now."
    return "a worker reviews them after the next training run; --now does it at once, here."


def _nothing_found(review: Review) -> str:
    return (
        f"{review.tasks:,} labelled tasks were reviewed on {moment(review.ended_at)}: none has a label that is "
        "probably a mistake and has not changed since."
    )


def _row(loop: Loop, uid: str, issue: LabelIssue) -> tuple[str, ...]:
    return (
        issue.key,
        f"{issue.score:.2f}",
        issue.task,
        issue.kind,
        f"{issue.before}[{shorten(issue.text)}]{issue.after}",
        shorten(issue.given or "–"),
        issue.annotator or "–",
        issue.view,
        loop.settings.task_url(uid, issue.task),
    )


def _fields(loop: Loop, uid: str, issue: LabelIssue) -> dict[str, Any]:
    return {
        "id": issue.key,
        **fields_of(issue, without=("id", "project", "accepted_at")),
        "url": loop.settings.task_url(uid, issue.task),
    }
