"""``export``: a project's labels as a file."""

from __future__ import annotations

import json
from typing import Any

import click

from backend.commands.common import error_sentence, open_label_studio, open_loop, project_number, project_option
from backend.commands.label_names import map_label_option, split_mapping
from backend.commands.progress_bar import Bar
from backend.conversion import Conversion, count
from backend.errors import NotEnoughLabels
from backend.settings import Settings
from converters.report import ConversionReport
from converters.words import TOKENIZERS
from label_config import LabelConfig


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
@click.option(
    "--unknown-labels",
    type=click.Choice(["leave-out", "keep"]),
    default="leave-out",
    show_default=True,
    help="Texts with a label that the configuration does not have: leave them out, or keep the label as it is.",
)
@map_label_option("For this export alone, besides the mappings of the project.")
@click.pass_obj
def export(settings: Settings, /, result: str | None, **options: Any) -> None:
    """Write a project's labels, as Label Studio has them now, to a file; "-" is standard output.

    CoNLL-2003 comes with a sidecar file, OUT.conll.jsonl, that holds the exact texts and offsets. A text with a region
    that cannot be read is left out and named, since its words would be written as if they were no entity.
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
    settings: Settings,
    *,
    project: str,
    output: str,
    form: Any,
    report: str | None,
    renamed: tuple[str, ...],
    **reading: Any,
) -> dict[str, Any]:
    from backend.label_studio.identity import same_project
    from backend.label_studio.texts import loader_of
    from converters.commands import export_tasks, write_report
    from converters.conversion import Reading

    number = project_number(project)
    label_studio = open_label_studio(settings)
    remote = same_project(label_studio, project) if "." in project else label_studio.project(number)
    config = _config(settings, remote.uid, remote.label_config, renamed)
    how = Reading(
        reading["tokenizer"],
        not reading["no_sentences"],
        reading["annotator"],
        reading["agreement"],
        unreadable="keep labels" if reading["unknown_labels"] == "keep" else "leave out",
        load=loader_of(config, settings),
    )
    with Bar("Export") as bar:
        bar.show(0, "waiting for Label Studio's export")
        tasks = label_studio.labelled_tasks(number)
        written, conversion = export_tasks(bar.track(tasks, "tasks"), output, config, form=form, how=how)
    if report:
        write_report(conversion, report)
    click.echo(conversion.summary(), err=True)
    losses = Conversion.from_reports([conversion], held_out=ConversionReport(), config=config).loss_sentences()
    if conversion.labelled and not written.documents and form != "json":
        tasks_found = count(conversion.labelled, "labelled task")
        raise NotEnoughLabels(f"0 documents could be written of {tasks_found}: {'; '.join(losses)}.")
    return {
        "documents": written.documents,
        "tokens": written.tokens,
        "entities": written.spans,
        "left_out": conversion.left_out,
        "losses": losses,
    }


def _config(settings: Settings, uid: str, xml: str, renamed: tuple[str, ...]) -> LabelConfig:
    """The configuration with the project's renamed labels and those of this export."""
    from backend.store.label_map import check_mapping

    config = LabelConfig.from_xml(xml)
    stored = open_loop(settings).store.projects.find(uid)
    pairs = [split_mapping(mapping, config) for mapping in renamed]
    given = {old: check_mapping(config, old, new) for old, new in pairs}
    return config.with_renamed({**(stored.renamed_labels if stored else {}), **given})


def _write_json(file: str, value: dict[str, Any]) -> None:
    from converters.streams import writing

    with writing(file) as stream:
        stream.write(json.dumps(value).encode())
