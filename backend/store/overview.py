"""The state of a project's loop, read from all tables: what the command line and the dashboard show first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backend.conversion import Conversion
from backend.scores import Score
from backend.settings import Settings
from backend.store.due import tasks_until_run
from backend.store.label_map import LabelMapping, label_mappings
from backend.store.models import LIVE, Project, Review, Run, Version
from backend.store.unread_texts import UnreadTexts

if TYPE_CHECKING:
    from backend.store import Store


@dataclass(frozen=True, slots=True)
class TaskProgress:
    """How far the labelling is: each of all ``tasks`` is either ``labelled``, ``skipped`` or ``left``.

    A task is labelled if it has a submitted annotation, skipped if somebody has skipped it and nobody has labelled it,
    and left otherwise. All tasks and the skipped ones were counted in Label Studio at ``counted_at`` (Unix time), the
    labelled ones are those that are stored now: of tasks that were labelled since, some may have been skipped before.
    """

    tasks: int
    labelled: int
    skipped: int
    counted_at: float

    @property
    def left(self) -> int:
        return self.tasks - self.labelled - self.skipped

    @classmethod
    def from_counts(cls, counts: Mapping[str, Any], labelled: int) -> TaskProgress:
        """Read stored `TaskCounts`; ``labelled`` is the number of labelled tasks."""
        tasks = max(counts["tasks"], labelled)
        return cls(tasks, labelled, min(counts["skipped"], tasks - labelled), counts["counted_at"])


@dataclass(frozen=True, slots=True)
class Overview:
    """The state of a project's loop.

    ``labelled`` is the number of tasks with annotations, ``changed`` of those that changed since the last snapshot,
    ``due_in`` of those that must still change until a run starts by itself (``None``: none ever does, or one is live).
    ``running`` is the run that is started or, if none is, the one that is queued; ``last`` the latest that has ended.
    ``read`` is the latest run that has read the labels, live or ended, ``conversion`` what became of their regions;
    ``mappings`` are the project's renamed labels. ``latest`` is the newest version, which serves or was rejected.
    ``worker_seen_at`` is when a worker last did something for the project (Unix time), ``reviewing`` whether its labels
    are being reviewed now. ``serving`` is what Label Studio is told as model version (`Projects.serving`).
    """

    project: Project
    labelled: int
    changed: int
    threshold: int
    due_in: int | None
    running: Run | None
    last: Run | None
    read: Run | None
    conversion: Conversion | None
    mappings: list[LabelMapping]
    current: Version | None
    latest: Version | None
    versions: int
    label_issues: int
    review: Review | None
    reviewing: bool
    worker_seen_at: float | None
    serving: str

    @property
    def loss_sentences(self) -> list[str]:
        """Why regions are not used, without those whose label has been mapped since."""
        return self.conversion.loss_sentences(pending=self.newly_mapped) if self.conversion else []

    @property
    def all_loss_sentences(self) -> list[str]:
        """The same with every label, however many there are."""
        return self.conversion.loss_sentences(pending=self.newly_mapped, named_labels=None) if self.conversion else []

    @property
    def unread_sentences(self) -> list[str]:
        """Which unlabelled tasks the current version could not predict, because of their text."""
        unread = UnreadTexts.from_dict(self.project.unread_texts)
        return unread.sentences if unread and self.current and unread.version == self.current.name else []

    @property
    def has_losses(self) -> bool:
        """Whether regions or tasks are not used, other than by labels that have been mapped since."""
        if self.conversion is None or self.conversion.total.is_whole:
            return False
        return bool(self.loss_sentences) or not self.newly_mapped

    @property
    def newly_mapped(self) -> dict[str, str]:
        """The old labels of regions that were not used and that the next run reads as new ones.

        Mappings that the run was read with already are not new, whatever they achieved.
        """
        if self.conversion is None:
            return {}
        unknown, renamed = self.conversion.unknown_labels, self.conversion.renamed
        usable = [row for row in self.mappings if row.ignored is None and row.old in unknown]
        return {row.old: row.new for row in usable if renamed.get(row.old) != row.new}

    @property
    def task_progress(self) -> TaskProgress | None:
        """``None`` before a worker has compared the project with Label Studio."""
        counts = self.project.task_counts
        return TaskProgress.from_counts(counts, self.labelled) if counts else None

    @property
    def score(self) -> Score:
        """The current version's score; unknown where none serves."""
        return Score.from_metrics(self.current.metrics if self.current else {})


def read_overview(store: Store, uid: str, settings: Settings) -> Overview:
    """Read a project's overview; raises `UnknownProject`."""
    project = store.projects.get(uid)
    versions = store.versions.of(uid)
    runs = store.runs.latest(project=uid)
    live = sorted((run for run in runs if run.state in LIVE), key=lambda run: run.state == "queued")
    running = next(iter(live), None)
    read = next((run for run in runs if run.conversion), None)
    run_renewed_at = store.leases.renewed_at("run", running.id) if running else None
    return Overview(
        project=project,
        labelled=store.annotations.count_tasks(uid),
        changed=store.changes.count(uid),
        threshold=settings.start_training_each_n_updates,
        due_in=None if live else tasks_until_run(store, uid, settings),
        running=running,
        last=next((run for run in runs if run.state not in LIVE), None),
        read=read,
        conversion=Conversion.from_dict(read.conversion) if read and read.conversion else None,
        mappings=label_mappings(project),
        current=next((version for version in versions if version.name == project.current_version), None),
        latest=next(iter(versions), None),
        versions=sum(version.pruned_at is None for version in versions),
        label_issues=store.reviews.count(uid),
        review=store.reviews.get(uid),
        reviewing=store.reviews.in_progress(uid),
        worker_seen_at=max(filter(None, (project.synced_at, run_renewed_at)), default=None),
        serving=store.projects.serving(uid),
    )
