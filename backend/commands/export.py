"""A project's labels as a file."""

from __future__ import annotations

from typing import Any

import click

from backend.commands.common import number_of, open_label_studio, project_option
from backend.commands.progress import Bar
from backend.settings import Settings
from converters.words import TOKENIZERS


@click.command()
@project_option
@click.argument("output", metavar="OUT.conll")
@click.option(
    "--format", "form", type=click.Choice(["conll", "bio", "json"]), default="conll", show_default=True,
    help="CoNLL-2003; word and tag alone; or Label Studio's own JSON.",
)  # fmt: skip
@click.option("--report", metavar="REPORT.json", help="Write every problem by task to this file.")
@click.option("--tokenizer", type=click.Choice(sorted(TOKENIZERS)), default="unicode", show_default=True)
@click.option("--no-sentences", is_flag=True, help="Write each document as one sentence.")
@click.option("--annotator", metavar="ID", help="Take only this person's annotations (id or e-mail address).")
@click.option("--agreement", is_flag=True, help="Take the majority of all annotators, word by word.")
@click.pass_obj
def export(settings: Settings, /, project: str, output: str, form: Any, report: str | None, **how: Any) -> None:
    """Write a project's labels to a file, straight from Label Studio; "-" is standard output.

    CoNLL-2003 comes with a sidecar, OUT.conll.jsonl: the exact texts and offsets.
    """
    from converters.commands import export_tasks, write_report
    from converters.conversion import Reading
    from label_config import LabelConfig

    number = number_of(project)
    label_studio = open_label_studio(settings)
    config = LabelConfig.from_xml(label_studio.project(number).label_config)
    reading = Reading(how["tokenizer"], not how["no_sentences"], how["annotator"], how["agreement"])
    with Bar("Export") as bar:
        bar.show(0, "Label Studio collects the labelled tasks")
        tasks = label_studio.labelled_tasks(number)
        written, seen = export_tasks(bar.each(tasks, "tasks"), output, config, form=form, how=reading)
    if report:
        write_report(seen, report)
    click.echo(seen.summary(), err=True)
    click.echo(f"{written.documents} documents, {written.tokens} tokens, {written.spans} entities written.", err=True)
