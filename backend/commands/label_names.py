"""``labels``: a project's labels, and which old ones are read as which new ones."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import open_label_studio, open_loop, project_option, project_uid
from backend.commands.output import plain, show_facts, show_json
from backend.conversion import Conversion, count
from backend.errors import UnusableMapping
from backend.settings import Settings
from converters.label_map import pairs
from label_config import LabelConfig

if TYPE_CHECKING:
    from backend.loop import Loop
    from backend.store.overview import Overview


def map_label_option(note: str, name: str = "--map-label") -> Callable[[Any], Any]:
    """The option that maps old labels to new ones, as the parameter ``renamed``; ``note`` says how long it is kept."""
    return click.option(
        name, "renamed", metavar="OLD=NEW", multiple=True, callback=_checked,
        help=(
            f"Read regions with the label OLD, which the configuration no longer has, as NEW. {note} May be repeated. "
            "A label may hold a = itself: the mapping is split where NEW is a label of the configuration."
        ),
    )  # fmt: skip


def _checked(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    for value in values:
        if not pairs(value):
            raise click.BadParameter(f"{value!r} is no mapping: use OLD=NEW, for example Person=PERSON.")
    return values


def split_mapping(mapping: str, config: LabelConfig, unknown: Collection[str] = ()) -> tuple[str, str]:
    """``OLD`` and ``NEW`` of a mapping: split so that ``NEW`` is a label and, if possible, ``OLD`` an unknown one.

    Of several such ways, and where there is none, the one at the last ``=``.
    """
    choices = pairs(mapping)
    fitting = [pair for pair in choices if config.label_named(pair[1]) is not None] or choices
    return next((pair for pair in fitting if pair[0] in unknown), fitting[0])


def map_labels(settings: Settings, loop: Loop, uid: str, mappings: tuple[str, ...]) -> None:
    """Store mappings; a new label that the stored configuration lacks is looked for in Label Studio's."""
    conversion = loop.overview(uid).conversion
    unknown = conversion.unknown_labels if conversion else ()

    def store(mapping: str) -> None:
        config = LabelConfig.from_xml(loop.store.projects.get(uid).label_config)
        loop.map_label(uid, *split_mapping(mapping, config, unknown))

    for mapping in mappings:
        try:
            store(mapping)
        except UnusableMapping:
            if not _refresh_config(settings, loop, uid):
                raise
            store(mapping)


def _refresh_config(settings: Settings, loop: Loop, uid: str) -> bool:
    """Save Label Studio's configuration; return whether it has changed."""
    from backend.label_studio.identity import same_project

    project = loop.store.projects.get(uid)
    remote = same_project(open_label_studio(settings, project), uid)
    loop.register_project(uid, title=remote.title, label_config=remote.label_config)
    return remote.label_config != project.label_config


@click.command()
@project_option
@map_label_option("The next run uses it.", name="--map")
@click.option("--unmap", metavar="OLD", multiple=True, help="Remove the mapping of OLD. May be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list with one object.")
@click.pass_obj
def labels(settings: Settings, project: str, renamed: tuple[str, ...], unmap: tuple[str, ...], as_json: bool) -> None:
    """Show a project's labels, the renamed ones, and those in annotations that the configuration does not have.

    Annotations keep the name that a label had when they were made. After a label was renamed in the labelling
    configuration, map its old name to the new one, so that these annotations are used again.
    """
    loop = open_loop(settings)
    uid = project_uid(settings, loop, project)
    for old in unmap:
        loop.map_label(uid, old, None)
    map_labels(settings, loop, uid, renamed)
    overview = loop.overview(uid)
    config = LabelConfig.from_xml(overview.project.label_config)
    if as_json:
        show_json([_fields(overview, config)])
    else:
        show_facts(f"{overview.project.id} {overview.project.title}".strip(), _facts(overview, config))


def _fields(overview: Overview, config: LabelConfig) -> dict[str, Any]:
    conversion = overview.conversion or Conversion()
    return {
        "project": overview.project.uid,
        "labels": list(config.labels),
        "labels_of_texts": {text.name: list(text.labels) for text in config.texts},
        "label_map": [asdict(mapping) for mapping in overview.mappings],
        "unknown_labels": dict(conversion.unknown_labels),
        "misplaced_labels": [asdict(row) for row in conversion.misplaced_labels],
    }


def _facts(overview: Overview, config: LabelConfig) -> list[tuple[str, str]]:
    several = len(config.texts) > 1
    facts = [(f"labels of {text.name}" if several else "labels", ", ".join(text.labels)) for text in config.texts]
    facts += [("renamed", mapping.sentence) for mapping in overview.mappings]
    facts += [("not used", sentence) for sentence in overview.all_loss_sentences]
    unknown = overview.conversion.unknown_labels if overview.conversion else {}
    for old, new in overview.newly_mapped.items():
        facts.append(("next run", f"{plain(old)} is read as {plain(new)} ({count(unknown[old], 'region')})"))
    return facts
