"""``export``: a project's labels as a file."""

from __future__ import annotations

import json
from typing import Any

import click

from backend.commands.common import error_sentence, open_label_studio, project_number, project_option
from backend.commands.progress_bar import Bar
from backend.settings import Settings
from converters.words import TOKENIZERS


@click.command()
@project_option
@click.argument("output", metavar="OUT.conll")
@click.option(
    "--format", "form", type=click.Choice(["conll", "bio", "json"]), default="conll", show_default=True,
    help="CoNLL-2003; word and tag only; or Label Studio's own JSON.",
)  # fmt: skip
@click.option("--report", metavar="REPORT.json", help="Write every conversion problem, by task, to this file.")
@click.option("--result", metavar="RESULT.json", hidden=True, help="Write the counts, or the error, to this file.")
@click.option("--tokenizer", type=click.Choice(sorted(TOKENIZERS)), default="unicode", show_default=True)
@click.option("--no-sentences", is_flag=True, help="Write each document as one sentence.")
@click.option("--annotator", metavar="ID", help="Use only this person's annotations (id or e-mail address).")
@click.option("--agreement", is_flag=True, help="Use the majority of all annotators, word by word.")
@click.pass_obj
def export(settings: Settings, /, result: str | None, **options: Any) -> None:
    """Write a project's labels, as Label Studio has them now, to a file; "-" is standard output.

    CoNLL-2003 comes with a sidecar file, OUT.conll.jsonl, that holds the exact texts and offsets.
    """
    try:
        counts = _export(settings, **options)
    except Exception as error:
        if result and (sentence := error_sentence(error)):
            _write_json(result, {"error": sentence, "kind": type(error).__name__})
        raise
    if result:
        _write_json(result, counts)
    click.echo("{documents} documents, {tokens} tokens, {entities} entities written.".format(**counts), err=True)


def _export(
    settings: Settings, *, project: str, output: str, form: Any, report: str | None, **reading: Any
) -> dict[str, int]:
    from backend.label_studio.identity import same_project
    from converters.commands import export_tasks, write_report
    from converters.conversion import Reading
    from label_config import LabelConfig

    number = project_number(project)
    label_studio = open_label_studio(settings)
    remote = same_project(label_studio, project) if "." in project else label_studio.project(number)
    config = LabelConfig.from_xml(remote.label_config)
    how = Reading(reading["tokenizer"], not reading["no_sentences"], reading["annotator"], reading["agreement"])
    with Bar("Export") as bar:
        bar.show(0, "waiting for Label Studio's export")
        tasks = label_studio.labelled_tasks(number)
        written, conversion = export_tasks(bar.track(tasks, "tasks"), output, config, form=form, how=how)
    if report:
        write_report(conversion, report)
    click.echo(conversion.summary(), err=True)
    return {"documents": written.documents, "tokens": written.tokens, "entities": written.spans}


def _write_json(file: str, value: dict[str, Any]) -> None:
    from converters.streams import writing

    with writing(file) as stream:
        stream.write(json.dumps(value).encode())
