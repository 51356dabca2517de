"""``labels``: a project's labels, and which old ones are read as which new ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from backend.commands.common import open_label_studio, open_loop, project_option, project_uid
from backend.commands.output import plain, show_facts, show_json
from backend.errors import UnusableMapping
from backend.settings import Settings
from label_config import LabelConfig

if TYPE_CHECKING:
    from backend.loop import Loop


def map_label_option(note: str, name: str = "--map-label") -> Callable[[Any], Any]:
    """The option that maps old labels to new ones, as the parameter ``renamed``; ``note`` says how long it is kept."""
    return click.option(
        name, "renamed", metavar="OLD=NEW", multiple=True, callback=_pairs,
        help=f"Read regions with the label OLD, which the configuration no longer has, as NEW. {note} May be repeated.",
    )  # fmt: skip


def _pairs(_context: click.Context, _option: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
    pairs = [value.partition("=") for value in values]
    for value, (old, equals, new) in zip(values, pairs, strict=True):
        if not (old and equals and new):
            raise click.BadParameter(f"{value!r} is no mapping: use OLD=NEW, for example Person=PERSON.")
    return {old: new for old, _, new in pairs}


def map_labels(settings: Settings, loop: Loop, uid: str, renamed: dict[str, str]) -> None:
    """Store mappings; a new label that the stored configuration lacks is looked for in Label Studio's."""
    for old, new in renamed.items():
        try:
            loop.map_label(uid, old, new)
        except UnusableMapping:
            if not _refresh_config(settings, loop, uid):
                raise
            loop.map_label(uid, old, new)


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
def labels(settings: Settings, project: str, renamed: dict[str, str], unmap: tuple[str, ...], as_json: bool) -> None:
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
    names = list(LabelConfig.from_xml(overview.project.label_config).labels)
    unknown = overview.conversion.unknown_labels if overview.conversion else {}
    if as_json:
        mappings = [asdict(mapping) for mapping in overview.mappings]
        show_json([{"project": uid, "labels": names, "label_map": mappings, "unknown_labels": dict(unknown)}])
        return
    facts = [("labels", ", ".join(names))]
    facts += [("renamed", mapping.sentence) for mapping in overview.mappings]
    facts += [("not used", sentence) for sentence in overview.loss_sentences]
    facts += [("next run", f"{plain(old)} is read as {plain(new)}") for old, new in overview.newly_mapped.items()]
    show_facts(f"{overview.project.id} {overview.project.title}".strip(), facts)
