"""The snapshot of a project: its labelled tasks as Label Studio has them at one moment."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from backend.conversion import Conversion
from backend.label_studio.annotators import AnnotatorNames, read_annotator_names
from backend.label_studio.api import Annotations
from backend.label_studio.identity import same_project
from backend.store import Store
from backend.training.split import Subset, subset_of
from converters import ConversionReport, Document, LoadText, iter_documents
from label_config import LabelConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The labelled documents of a project.

    They contain all changes up to ``revision``, and perhaps later ones. ``reports`` count, for each set of the split,
    the tasks and regions that were read and those that could not be, and name them; ``report`` is their sum.
    ``annotators`` are the names of those who labelled each task, by task id; whose annotation counts comes first.
    """

    config: LabelConfig
    documents: list[Document]
    revision: int
    reports: dict[Subset, ConversionReport]
    annotators: dict[str, tuple[str, ...]]

    @property
    def report(self) -> ConversionReport:
        """What was read and what could not be, in all tasks."""
        total = ConversionReport()
        for report in self.reports.values():
            total.add(report)
        return total

    @property
    def conversion(self) -> Conversion:
        """What became of the tasks and regions, by these reports."""
        return Conversion.from_reports(self.reports.values(), held_out=self.reports["test"], config=self.config)


def take_snapshot(
    store: Store,
    uid: str,
    label_studio: Annotations,
    *,
    replace_annotations: bool,
    open_loader: Callable[[LabelConfig], LoadText | None] = lambda _: None,
    progress: Callable[[float], None] = lambda _: None,
) -> Snapshot:
    """Fetch a project's labelled tasks; save the title and the labelling configuration they have in Label Studio.

    With ``replace_annotations`` the stored annotation ids become those of the snapshot. Only a training run may do
    that: `backend.label_studio.reconcile` counts stored ids that differ from Label Studio's as changes for the next
    run, and a review that replaced them would hide these changes. ``open_loader`` opens what reads texts at addresses.
    ``progress`` is called with the fraction done. Raises `ProjectReplaced`, `LabelStudioError` and
    ``UnsupportedLabelConfig``.
    """
    progress(0.0)
    remote = same_project(label_studio, uid)
    store.projects.save(uid, title=remote.title, label_config=remote.label_config)
    if replace_annotations:
        store.annotations.replace(uid, label_studio.annotation_tasks(remote.id))
    revision = store.projects.get(uid).revision  # before the tasks are fetched: later changes are for the next run
    progress(0.5)
    config = LabelConfig.from_xml(remote.label_config).with_renamed(store.projects.get(uid).renamed_labels)
    names = read_annotator_names(label_studio)
    tasks = label_studio.labelled_tasks(remote.id)
    snapshot = read_snapshot(tasks, config, revision=revision, load=open_loader(config), names=names)
    log.info("%s", snapshot.report.summary())
    return snapshot


def read_snapshot(
    tasks: Iterable[dict[str, Any]],
    config: LabelConfig,
    *,
    revision: int,
    load: LoadText | None = None,
    names: AnnotatorNames | None = None,
) -> Snapshot:
    """Read labelled tasks, in order, with a report for each set of the split; ``load`` reads texts at addresses."""
    reports: dict[Subset, ConversionReport] = {name: ConversionReport() for name in ("train", "validation", "test")}
    names = names or AnnotatorNames({})
    documents: list[Document] = []
    annotators: dict[str, tuple[str, ...]] = {}
    for task in tasks:
        task_id = str(task.get("id"))
        documents += iter_documents([task], config, reports[subset_of(task_id)], load=load)
        if people := names.of(task):
            annotators[task_id] = people
    return Snapshot(config, documents, revision, reports, annotators)
