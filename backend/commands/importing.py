"""``import-model``: makes a version of a model that was trained elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import click

from backend.commands.common import open_loop, project_option, project_uid
from backend.commands.output import plain
from backend.commands.progress_bar import Bar
from backend.errors import InvalidRequest
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.inference.imported import Aggregation
    from backend.loop import Loop
    from backend.training.import_model import ImportedVersion


@click.command("import-model")
@project_option
@click.argument("model", metavar="NAME_OR_FOLDER")
@click.option(
    "--map",
    "pairs",
    multiple=True,
    metavar="TYPE=LABEL",
    help="The project's label of a type of entity, for example PER=Person; may be given several times.",
)
@click.option(
    "--aggregation",
    type=click.Choice(("first", "average")),
    default="first",
    show_default=True,
    help="What decides about a word: its first piece, or the average of all.",
)
@click.pass_obj
def import_model(
    settings: Settings, project: str, model: str, pairs: tuple[str, ...], aggregation: Aggregation
) -> None:  # fmt: skip
    """Make a version of a token classifier of the Hugging Face hub or in a folder.

    It serves at once if no version does; else the gate compares it with the current version on the held-out tasks. Its
    types of entities get the labels of the same name (also value, alias, predicted_values and the usual synonyms: PER
    is Person); --map says others, and what has no label is listed and left out.
    """
    loop = open_loop(settings)
    import_and_tell(loop, project_uid(settings, loop, project), model, given=_pairs(pairs), aggregation=aggregation)


def import_and_tell(
    loop: Loop, uid: str, model: str, *, given: Mapping[str, str] | None = None, aggregation: Aggregation = "first"
) -> None:
    """Import a model into a project, with a progress bar, and print what became of it."""
    from backend.worker import import_now

    with Bar(f"Importing {plain(model)}", total=1.0) as bar:
        imported = import_now(
            loop, uid, model, given=given or {}, aggregation=aggregation,
            on_progress=lambda step, fraction: bar.show(fraction, step),
        )  # fmt: skip
    for sentence in _sentences(imported):
        click.echo(plain(sentence))


def _sentences(imported: ImportedVersion) -> Iterator[str]:
    from backend.evaluation.verdict import explain
    from backend.scores import Score

    name, labels = imported.version.name, imported.labels
    mapped = ", ".join(f"{entity} is {label}" for entity, label in labels.items() if label)
    yield f"{name} is made of the model: {mapped}."
    if left_out := [entity for entity, label in labels.items() if label is None]:
        yield f"Left out, since the project has no label for them: {', '.join(left_out)}. Use --map to name one."
    yield f"{Score.from_metrics(imported.version.metrics).sentence}."
    if imported.promoted:
        yield f"{name} serves now; its predictions are being sent to Label Studio."
    else:
        yield f"{name} does not serve, {explain(imported.decision)}. To let it serve: python -m backend promote {name}."


def _pairs(pairs: tuple[str, ...]) -> dict[str, str]:
    given = {}
    for pair in pairs:
        entity, equals, label = pair.partition("=")
        if not (entity and equals and label):
            raise InvalidRequest(f"--map {pair} is not TYPE=LABEL: give for example --map PER=Person.")
        given[entity] = label
    return given
