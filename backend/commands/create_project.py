"""``create-project``: a project in Label Studio from a labelled file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import click

from backend.commands.files import corpus_options, open_corpus
from backend.commands.output import plain
from backend.commands.progress_bar import Bar
from backend.conversion import count
from backend.errors import InvalidRequest
from backend.settings import Settings

if TYPE_CHECKING:
    from converters.conll_labels import Kind
    from converters.corpus import Corpus
    from converters.report import ConversionReport
    from label_config import LabelConfig

_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")


@click.command()
@click.option("--from", "source", metavar="FILE", required=True, help="A CoNLL file, or an export in JSON.")
@click.option("--title", required=True, help="Title of the new project.")
@click.option(
    "--as", "kind", type=click.Choice(["annotations", "predictions"]), default="annotations", show_default=True,
    help="Annotations count as labelled by a person; predictions are to be corrected.",
)  # fmt: skip
@corpus_options
@click.pass_obj
def create_project(
    settings: Settings, /, source: str, title: str, kind: Kind, config: str | None, **reading: Any
) -> None:
    """Create a project in Label Studio from a labelled file.

    The project has a task for each text of FILE, and a labelling configuration with the labels of FILE, unless --config
    gives one. Texts with a label that the configuration does not have are left out and named: their annotations would
    say that there is no entity.
    """
    from backend.label_studio.client import open_label_studio
    from backend.label_studio.new_project import check_title, create_project

    corpus = open_corpus(source, config=config, **reading)
    xml, labels = _label_config(source, config, corpus)
    tasks, report = _tasks(source, corpus, labels, kind)
    label_studio = open_label_studio(settings)
    check_title(label_studio, title)
    with Bar("Import", total=len(tasks)) as bar:
        project = create_project(label_studio, title, xml, tasks, progress=lambda done: bar.show(done, "tasks"))
    click.echo(
        f"Project {project.id} “{plain(title)}” has {count(len(tasks), 'task')} with {kind}, "
        f"{count(report.spans, 'region')}; its labels: {', '.join(map(plain, labels.labels))}."
    )
    click.echo(f"Open it: {settings.label_studio_shown}/projects/{project.id}/data")
    click.echo(f"Connect it: python -m backend connect --project {project.id}")


def _label_config(source: str, config: str | None, corpus: Corpus) -> tuple[str, LabelConfig]:
    """The XML of the new project's configuration, and the same read."""
    from converters.commands import read_xml
    from label_config import LabelConfig, generate

    if config is None and not corpus.labels:
        raise InvalidRequest(f"{source} has no entity, so it has no labels: give a labelling configuration: --config.")
    try:
        # Label Studio gets text, which has no encoding to declare.
        xml = _DECLARATION.sub("", read_xml(config)) if config else generate(corpus.labels)
        return xml, LabelConfig.from_xml(xml)
    except ValueError as error:
        raise InvalidRequest(f"{config or source}: {error}") from None


def _tasks(
    source: str, corpus: Corpus, config: LabelConfig, kind: Kind
) -> tuple[list[dict[str, Any]], ConversionReport]:
    from converters.conll_commands import placed_documents
    from converters.conll_labels import Placement
    from converters.report import ConversionReport
    from converters.tasks import annotation_task, prediction_task

    report = ConversionReport()
    write = annotation_task if kind == "annotations" else prediction_task
    placement = Placement(config, kind, corpus.labels)
    try:
        tasks = [
            write(document, config, report=report) for document in placed_documents(corpus.documents, placement, report)
        ]
    except ValueError as error:
        raise InvalidRequest(f"{source}: {error}") from None
    for problem, number in report.problems().items():
        first = report.examples(problem)[0]
        click.echo(f"{number}× {problem.words}; the first one in text {first.task}: {first.detail}.", err=True)
    if report.left_out:
        click.echo(f"{count(report.left_out, 'text')} left out, with a region that cannot be written.", err=True)
    if not tasks:
        raise InvalidRequest(f"{source}: no text can be imported; the lines above say why.")
    return tasks, report
