"""The snapshot of a project: its labelled tasks as Label Studio has them at one moment."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from backend.label_studio.api import Annotations
from backend.label_studio.identity import same_project
from backend.store import Store
from converters import ConversionReport, Document, read_tasks
from label_config import LabelConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The labelled documents of a project.

    They contain all changes up to ``revision``, and perhaps later ones. ``report`` counts the tasks and regions that
    could not be read, and names them.
    """

    config: LabelConfig
    documents: list[Document]
    revision: int
    report: ConversionReport


def take_snapshot(
    store: Store,
    uid: str,
    label_studio: Annotations,
    *,
    replace_annotations: bool,
    progress: Callable[[float], None] = lambda _: None,
) -> Snapshot:
    """Fetch a project's labelled tasks; save the title and the labelling configuration they have in Label Studio.

    With ``replace_annotations`` the stored annotation ids become those of the snapshot. Only a training run may do
    that: `backend.label_studio.reconcile` counts stored ids that differ from Label Studio's as changes for the next
    run, and a review that replaced them would hide these changes. ``progress`` is called with the fraction done.
    Raises `ProjectReplaced`, `LabelStudioError` and ``UnsupportedLabelConfig``.
    """
    progress(0.0)
    remote = same_project(label_studio, uid)
    store.projects.save(uid, title=remote.title, label_config=remote.label_config)
    if replace_annotations:
        store.annotations.replace(uid, label_studio.annotation_tasks(remote.id))
    revision = store.projects.get(uid).revision  # before the tasks are fetched: later changes are for the next run
    progress(0.5)
    config = LabelConfig.from_xml(remote.label_config)
    documents, report = read_tasks(label_studio.labelled_tasks(remote.id), config)
    log.info("%s", report.summary())
    return Snapshot(config, documents, revision, report)
