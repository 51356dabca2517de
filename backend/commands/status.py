"""``status``: where each project stands."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import any_project_option, json_option, open_loop, project_uids
from backend.commands.model_versions import version_fields
from backend.commands.output import fields_of, iso, moment, plain, shorten, show_facts, show_json, show_table
from backend.commands.training import describe_state
from backend.scores import shown
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.loop import Loop
    from backend.store.overview import Overview


@click.command()
@any_project_option
@json_option
@click.pass_obj
def status(settings: Settings, project: str | None, as_json: bool) -> None:
    """Show where each project stands: labels, training, the current version and its score, label issues, errors."""
    loop = open_loop(settings)
    overviews = [loop.overview(uid) for uid in project_uids(settings, loop, project)]
    if as_json:
        show_json(_fields(loop, overview) for overview in overviews)
    elif not overviews:
        click.echo("No project yet: run `python -m backend connect --project ID`.")
    elif project is not None:
        show_facts(_title(overviews[0]), _facts(overviews[0]))
    else:
        headings = ("project", "labelled", "changed", "training", "version", "F1", "label issues")
        show_table(headings, map(_row, overviews))
        for overview in overviews:
            for sentence in _warnings(overview):
                click.echo(f"Project {overview.project.id}: {plain(sentence)}")


def _warnings(overview: Overview) -> list[str]:
    """What a lead of many projects must know of this one, a sentence each."""
    losses = overview.loss_sentences
    ignored = [mapping.sentence for mapping in overview.mappings if mapping.ignored]
    lost = (
        [f"{overview.conversion.summary}; not used: {'; '.join(losses)}."]
        if overview.conversion and overview.has_losses
        else []
    )
    errors = filter(None, [overview.project.sync_error])
    return [*_last_run(overview), *lost, *(f"{sentence}." for sentence in ignored), *overview.unread_sentences, *errors]


def _last_run(overview: Overview) -> Iterator[str]:
    """Why the last run did not bring a version that serves."""
    from backend.evaluation.verdict import explain

    run, latest = overview.last, overview.latest
    if run and run.error:
        yield f"The last run {'had too few labels' if run.lacks_labels else 'failed'}: {run.error}"
    elif latest and latest is not overview.current and latest.decision and not latest.decision.promote:
        yield f"{latest.name} was {explain(latest.decision, with_losses=False)}."


def _row(overview: Overview) -> tuple[object, ...]:
    return (
        _title(overview),
        f"{overview.labelled:,}",
        _changed(overview),
        _training(overview),
        overview.current.name if overview.current else _no_version(overview),
        _f1(overview),
        f"{overview.label_issues:,}",
    )


def _no_version(overview: Overview) -> str:
    from backend.store.phrases import PHRASES

    return "none yet: phrases are suggested" if overview.serving == PHRASES else "none yet"


def _f1(overview: Overview) -> str:
    if overview.current is None:
        return "–"
    score = overview.score
    return f"unknown: {score.unknown}" if score.f1 is None else shown(score.f1)


def _facts(overview: Overview) -> list[tuple[str, object]]:
    from backend.evaluation.verdict import describe

    facts: list[tuple[str, object]] = [
        ("labelled tasks", f"{overview.labelled:,}"),
        ("changed since the last run", _changed(overview)),
        ("training", _training(overview)),
    ]
    if run := overview.last:
        ended = f"{run.id} {describe_state(run)} {moment(run.finished_at)}"
        facts.append(("latest run", f"{ended}: {run.error}" if run.error else ended))
    facts += _region_facts(overview)
    if (latest := overview.latest) and latest is not overview.current:
        facts.append((f"verdict on {latest.name}", describe(latest)))
    if overview.current:
        facts += [("version", overview.current.name), ("score", overview.score.sentence)]
        facts.append(("verdict", describe(overview.current)))
    else:
        facts.append(("version", _no_version(overview)))
    facts += [("predictions", sentence) for sentence in overview.unread_sentences]
    facts += [("versions with files", overview.versions), ("label issues", f"{overview.label_issues:,}")]
    facts.append(("compared with Label Studio", moment(overview.project.synced_at)))
    if overview.project.sync_error:
        facts.append(("error", overview.project.sync_error))
    return facts


def _region_facts(overview: Overview) -> list[tuple[str, object]]:
    """What became of the regions, and the renamed labels."""
    facts: list[tuple[str, object]] = []
    if overview.conversion:
        facts.append(("regions", overview.conversion.summary))
        facts += [("not used", sentence) for sentence in overview.loss_sentences]
        facts += [("corrected", f"{kind.words}: {kind.count:,}") for kind in overview.conversion.repairs]
    return facts + [("renamed label", mapping.sentence) for mapping in overview.mappings]


def _title(overview: Overview) -> str:
    return f"{overview.project.id} {shorten(overview.project.title)}".strip()


def _changed(overview: Overview) -> str:
    return f"{overview.changed:,} of {overview.threshold:,}" if overview.threshold else f"{overview.changed:,}"


def _training(overview: Overview) -> str:
    if overview.running:
        return describe_state(overview.running)
    if overview.due_in is None:
        return "when somebody starts it"
    return f"after {overview.due_in:,} more" if overview.due_in else "due"


def _fields(loop: Loop, overview: Overview) -> dict[str, Any]:
    project = overview.project
    return {
        "project": project.uid,
        "id": project.id,
        "title": project.title,
        "labelled": overview.labelled,
        "changed": overview.changed,
        "threshold": overview.threshold,
        "due_in": overview.due_in,
        "running": fields_of(overview.running) if overview.running else None,
        "last": fields_of(overview.last) if overview.last else None,
        "current": version_fields(overview.current) if overview.current else None,
        "f1": overview.score.f1,
        "score": overview.score.to_dict(),
        "versions": overview.versions,
        "conversion": _conversion_fields(loop, overview),
        "label_map": [asdict(mapping) for mapping in overview.mappings],
        "label_issues": overview.label_issues,
        "review": fields_of(overview.review) if overview.review else None,
        "sync_error": project.sync_error,
        "unread_texts": project.unread_texts,
        "synced_at": iso(project.synced_at),
    }


def _conversion_fields(loop: Loop, overview: Overview) -> dict[str, Any] | None:
    if overview.conversion is None or overview.read is None:
        return None
    sentences = {"summary": overview.conversion.summary, "not_used": overview.loss_sentences}
    fields = overview.conversion.to_dict()
    for kind in (*fields["losses"], *fields["repairs"]):
        for example in kind["examples"]:
            task = example["task"]
            example["url"] = loop.settings.task_url(overview.project.uid, task) if task.isdecimal() else None
    return {"run": overview.read.id, **sentences, **fields}
