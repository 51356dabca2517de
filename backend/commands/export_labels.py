"""``export``: a project's labels as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import error_sentence, open_label_studio, open_loop, project_number, project_option
from backend.commands.label_names import map_label_option, split_mapping
from backend.commands.progress_bar import Bar
from backend.conversion import Conversion, count
from backend.errors import InvalidRequest, NotEnoughLabels
from backend.settings import Settings
from converters.report import ConversionReport
from converters.words import TOKENIZERS
from label_config import LabelConfig

if TYPE_CHECKING:
    from backend.store.models import Project
    from converters.conll import Written
    from converters.conversion import Reading
    from converters.phrases import Phrase
    from converters.rows import Row


@click.command()
@project_option
@click.argument("output", metavar="OUT")
@click.option(
    "--format", "form", type=click.Choice(["conll", "bio", "json", "datasets", "phrases"]),
    default="conll", show_default=True,
    help="CoNLL-2003; word and tag only; Label Studio's own JSON; a folder that the datasets library reads; or the "
    "phrases that are marked in at least half of their occurrences, one a line, a tab, its label.",
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

    CoNLL-2003 comes with a sidecar file, OUT.jsonl, that holds the exact texts and offsets. A text with a region that
    cannot be read is left out and named, since its words would be written as if they were no entity. A data set
    (--format datasets) is divided into train, validation and test as training divides the tasks.
    """
    try:
        counts = _export(settings, **options)
    except Exception as error:
        if result and (sentence := error_sentence(error)):
            _write_json(result, {"error": sentence, "kind": type(error).__name__})
        raise
    if result:
        _write_json(result, counts)
    written = "{documents} documents, {tokens} tokens, {entities} entities written."
    if options["form"] == "phrases":
        written = "{entities} phrases of {documents} documents written."
    click.echo(written.format(**counts), err=True)


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
    from converters.commands import write_report
    from converters.conversion import Reading

    if form == "datasets":
        _check_folder(output)
    number = project_number(project)
    label_studio = open_label_studio(settings)
    remote = same_project(label_studio, project) if "." in project else label_studio.project(number)
    loop = open_loop(settings)
    config = _config(loop.store.projects.find(remote.uid), remote.label_config, renamed)
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
        written, conversion = _write(
            bar.track(tasks, "tasks"),
            output,
            config,
            form=form,
            how=how,
            title=remote.title,
            given=loop.store.phrases.given(remote.uid),
        )
    if report:
        write_report(conversion, report)
    click.echo(conversion.summary(), err=True)
    if form != "json":
        _check_written(written, conversion, config)
    return {
        "documents": written.documents,
        "tokens": written.tokens,
        "entities": written.spans,
        "left_out": conversion.left_out,
        "losses": _losses(conversion, config),
    }


def _losses(conversion: ConversionReport, config: LabelConfig) -> list[str]:
    return Conversion.from_reports([conversion], held_out=ConversionReport(), config=config).loss_sentences()


def _check_written(written: Written, conversion: ConversionReport, config: LabelConfig) -> None:
    if conversion.labelled and not written.documents:
        losses = "; ".join(_losses(conversion, config))
        tasks_found = count(conversion.labelled, "labelled task")
        raise NotEnoughLabels(f"0 documents could be written of {tasks_found}: {losses}.")


def _write(
    tasks: Iterator[dict[str, Any]],
    output: str,
    config: LabelConfig,
    *,
    form: Any,
    how: Reading,
    title: str,
    given: Sequence[Phrase],
) -> tuple[Written, ConversionReport]:
    from converters.commands import export_tasks
    from converters.conversion import Conversion as TaskConversion

    if form != "datasets":
        return export_tasks(tasks, output, config, form=form, how=how, given=given)
    from backend.training.dataset_dict import write_dataset

    conversion = TaskConversion(config, how)

    def rows() -> Iterator[Row]:
        yield from conversion.rows(tasks)
        _check_written(conversion.written, conversion.report, config)  # an earlier data set is kept

    sizes = write_dataset(rows(), Path(output), labels=config.labels, title=title)
    click.echo(f"Rows: {', '.join(f'{size:,} in {name}' for name, size in sizes.items())}.", err=True)
    return conversion.written, conversion.report


def _check_folder(output: str) -> None:
    """Refuse a place where no data set can be written before the tasks are read."""
    from backend.training.dataset_dict import check_folder

    if output == "-":
        raise InvalidRequest("A data set is a folder and cannot be written to standard output: give its name.")
    check_folder(Path(output))


def _config(stored: Project | None, xml: str, renamed: tuple[str, ...]) -> LabelConfig:
    """The configuration with the project's renamed labels and those of this export."""
    from backend.store.label_map import check_mapping

    config = LabelConfig.from_xml(xml)
    pairs = [split_mapping(mapping, config) for mapping in renamed]
    given = {old: check_mapping(config, old, new) for old, new in pairs}
    return config.with_renamed({**(stored.renamed_labels if stored else {}), **given})


def _write_json(file: str, value: dict[str, Any]) -> None:
    from converters.streams import writing

    with writing(file) as stream:
        stream.write(json.dumps(value).encode())
