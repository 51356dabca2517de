"""The labelling–training loop: its use cases, as one class.

Web server, command line and demonstration change things through `Loop` only; what they read, they may read from
``loop.store``. The worker and the processes of runs and reviews, which execute what the loop has asked for, write their
progress and outcome to the store themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from backend.errors import Conflict
from backend.inference.tagger import Answer
from backend.inference.tasks import TaskPrediction, TaskTexts, TextTagger, UntrainedTagger, predict_tasks, read_texts
from backend.label_studio.api import LabelStudioAPI
from backend.label_studio.preannotate import preannotate_project
from backend.label_studio.sync import OnProgress, SyncResult
from backend.label_studio.texts import REQUEST_SECONDS, open_text_loader, skip_unread
from backend.queue import Queue
from backend.recipe import parse_overrides
from backend.registry import Registry, checked_uid
from backend.settings import Settings
from backend.store import Store
from backend.store.due import tasks_until_run
from backend.store.label_map import changed_label_map
from backend.store.lease import Lease
from backend.store.models import LIVE, LabelIssue, Project, Run, Version
from backend.store.overview import Overview, read_overview
from backend.store.projects import ProjectFields
from backend.store.start_requests import WAIT_SECONDS
from backend.training.phrases import update_phrases
from converters import Span
from converters.phrases import Phrase
from label_config import LabelConfig

log = logging.getLogger(__name__)

BUTTON = "Start Training in Label Studio"
"""The reason of a run that a person started there."""

_ENDED = {"finished": "finished", "failed": "failed", "cancelled": "was cancelled"}


class Loop:
    """pre-annotate → correct → retrain → promote → pre-annotate better."""

    def __init__(self, settings: Settings, store: Store, registry: Registry, queue: Queue) -> None:
        self.settings = settings
        self.store = store
        self.registry = registry
        self.queue = queue

    # Projects

    def register_project(self, uid: str, **fields: Unpack[ProjectFields]) -> Project:
        """Create a project, or update the fields that are given.

        Raises `InvalidRequest` where the uid has not Label Studio's form or ``extra_params`` hold unusable training
        parameters.
        """
        parse_overrides(fields.get("extra_params") or {})
        return self.store.projects.save(checked_uid(uid), **fields)

    def find_uid(self, project: str) -> str | None:
        """The uid of a registered project, named by its uid or by its number alone: then of the newest."""
        uids = [row.uid for row in self.store.projects.all() if project in (row.uid, str(row.id))]
        return max(uids, key=lambda uid: int(uid.partition(".")[2] or 0), default=None)

    def overview(self, uid: str) -> Overview:
        """The state of a project's loop; raises `UnknownProject`."""
        return read_overview(self.store, uid, self.settings)

    def map_label(self, uid: str, old: str, new: str | None) -> Project:
        """Read annotations with the label ``old`` as having ``new`` from now on; ``None`` removes the mapping.

        Raises `UnusableMapping` if ``new`` is not a label of the configuration or ``old`` is one.
        """
        return self.store.projects.save(uid, label_map=changed_label_map(self.store.projects.get(uid), old, new))

    def dashboard_secret(self) -> str:
        """The key that signs the dashboard's sessions: created on first use, the same for all web processes."""
        return self.store.secrets.get("dashboard")

    # Predictions

    def predict(self, uid: str, texts: Sequence[str], *, version: str | None = None) -> Answer:
        """Tag texts with the project's current version, or with the one named.

        A project without a version gets those of ``phrases``, else empty ones of ``untrained``, both of score 0.
        """
        name, tagger = self._tagger(uid, version)
        return Answer(name, [tagging for part in tagger.tag_parts(texts) for tagging in part])

    def read_texts(self, uid: str, tasks: Iterable[Any], config: LabelConfig) -> TaskTexts:
        """Read the texts of tasks in a request; without those that cannot be loaded within `REQUEST_SECONDS` in all."""
        if not any(text.is_url for text in config.texts):
            return read_texts(tasks, config)
        loader = open_text_loader(self.settings, self.store.projects.find(uid), total_seconds=REQUEST_SECONDS)
        return read_texts(tasks, config, load=skip_unread(loader))

    def predict_tasks(
        self, uid: str, tasks: TaskTexts, *, marked: Sequence[Sequence[Span]] | None = None, version: str | None = None
    ) -> tuple[str, Iterator[list[TaskPrediction]]]:
        """Predict tasks in parts, each as soon as it is computed (`predict_tasks`), and name the version that does so.

        ``marked``: regions just drawn on each text of the only task; ``SUGGEST`` says what is predicted then.
        """
        name, tagger = self._tagger(uid, version)
        project = None if set(tagger.labels) <= set(tasks.config.labels) else self.store.projects.find(uid)
        if project and project.renamed_labels:  # the version may have been trained before labels were renamed
            tasks = replace(tasks, config=tasks.config.with_renamed(project.renamed_labels))
        if marked is not None and self.settings.suggest == "words":
            tagger = UntrainedTagger()
        return name, predict_tasks(tagger, tasks, marked=marked or ())

    def _tagger(self, uid: str, version: str | None) -> tuple[str, TextTagger]:
        if version is not None:
            self.store.versions.usable(uid, version)
        name = version or self.store.projects.serving(uid)
        return name, self.registry.text_tagger(uid, name)

    # Labels arrive

    def annotations_saved(
        self, uid: str, owners: Mapping[int, int], *, skipped: Sequence[int] = (), sent_start: bool = False
    ) -> None:
        """Annotations were submitted or updated, ``{annotation id: task id}``, or ``skipped`` what was labelled before.

        ``sent_start``: Label Studio sent START_TRAINING with them (`request_training`).
        """
        if sent_start:
            self.store.start_requests.withdraw(uid)
        if skipped and (removed := self.store.annotations.forget(uid, skipped)):
            self.tasks_changed(uid, map(str, removed.values()), labelled=False)
        if owners:
            self.store.annotations.remember(uid, owners)
            self.tasks_changed(uid, map(str, owners.values()))

    def annotations_deleted(self, uid: str, annotations: Sequence[int]) -> None:
        tasks = self.store.annotations.forget(uid, annotations)
        self.tasks_changed(uid, [str(tasks.get(key, f"annotation-{key}")) for key in annotations], labelled=False)

    def tasks_created(self, uid: str, *, labelled: Sequence[int], unlabelled: Sequence[int]) -> None:
        """Tasks were imported, some perhaps with annotations."""
        if labelled:
            self.tasks_changed(uid, [str(task) for task in labelled])
        if unlabelled:
            self.request_sync(uid)

    def tasks_deleted(self, uid: str, tasks: Sequence[int]) -> None:
        deleted = set(tasks)
        owners = {key: task for key, task in self.store.annotations.of(uid).items() if task in deleted}
        if owners:
            self.store.annotations.forget(uid, list(owners))
            self.tasks_changed(uid, map(str, owners.values()), labelled=False)

    def tasks_changed(self, uid: str, tasks: Iterable[str], *, labelled: bool = True) -> None:
        """Count tasks whose annotations changed (`Changes.record`); each counts once until a snapshot contains it."""
        self.store.changes.record(uid, tasks, labelled=labelled)
        if self.store.projects.current_version(uid) is None:
            self.request_sync(uid)
        self.train_if_due(uid)

    def train_if_due(self, uid: str) -> None:
        """Queue a run when enough tasks have changed and no run is live.

        Called when a task changes and after a run that finished: a failed run is followed by one at the next change.
        """
        if self.store.runs.latest(project=uid, states=LIVE, limit=1):
            return
        if tasks_until_run(self.store, uid, self.settings) == 0:
            self.train(uid, reason=f"{self.store.changes.count(uid)} changed tasks", automatic=True)

    def give_phrases(self, uid: str, phrases: Sequence[Phrase]) -> None:
        """Suggest these phrases, too, until a version serves; they replace those that were given before."""
        self.store.phrases.give(uid, phrases)
        self.request_sync(uid)

    # Training

    def request_training(self, uid: str) -> Run | None:
        """Label Studio asks for a training run: queue one, or return the one that is queued already.

        ``None`` in a project where annotations send the same request: a worker queues a run in `WAIT_SECONDS` unless
        the event of an annotation arrives first, which is counted like any other.
        """
        if not self.store.projects.get(uid).starts_training_every:
            return self.train(uid, reason=BUTTON)
        self.store.start_requests.add(uid)
        self.queue.wake_training(after=WAIT_SECONDS + 1)
        return None

    def queue_requested_runs(self) -> None:
        """Queue the runs of the button for which `request_training` waited."""
        for uid in self.store.start_requests.take_due():
            self.train(uid, reason=BUTTON)

    def train(self, uid: str, *, reason: str, overrides: Mapping[str, Any] = {}, automatic: bool = False) -> Run:
        """Queue a training run, or return the one that is queued already; ``automatic``: no person asked for it.

        ``overrides`` change the recipe for this run alone (`backend.recipe.Overrides`); `InvalidRequest` where they
        are not usable, `Conflict` where a run without them is queued already.
        """
        self.store.projects.get(uid)
        overrides = parse_overrides(overrides).to_dict()
        run, new = self.store.runs.queue(uid, reason, overrides, automatic=automatic)
        if overrides and not new:
            raise Conflict(f"Run {run.id} is queued already, without these parameters: cancel it, or wait for its end.")
        if new:
            log.info("run %s of project %s queued: %s", run.id, uid, reason)
        self.queue.wake_training()
        return run

    def cancel(self, run_id: str) -> Run:
        """End a run for good; `Conflict` where it has ended already.

        Within seconds its process is ended and its unfinished files are removed. The current version keeps serving, and
        changes stay counted (`train_if_due`).
        """
        if not self.store.runs.end(run_id, "cancelled"):
            raise Conflict(f"Training run {run_id} has ended already: it {_ENDED[self.store.runs.get(run_id).state]}.")
        run = self.store.runs.get(run_id)
        log.info("run %s of project %s is cancelled", run.id, run.project)
        return run

    def run(self, run_id: str) -> Run:
        return self.store.runs.get(run_id)

    def runs(self, uid: str | None = None) -> list[Run]:
        return self.store.runs.latest(project=uid)

    def run_log(self, run_id: str, *, lines: int = 200) -> str:
        """The last lines that a run's process has written."""
        run = self.store.runs.get(run_id)
        return self.registry.read_log(run.project, run.id, lines=lines)

    # Versions

    def versions(self, uid: str | None = None, *, usable: bool = False) -> list[Version]:
        """A project's versions, or every project's, newest first; ``usable``: only those with files."""
        projects = [self.store.projects.get(uid)] if uid else self.store.projects.all()
        return [version for project in projects for version in self.store.versions.of(project.uid, usable=usable)]

    def promote(self, uid: str, name: str, *, actor: str) -> Version:
        """Serve a version from the next request on, and sync its predictions; ``actor`` says who did it."""
        self.store.projects.get(uid)
        version = self.registry.promote(uid, name, actor=actor)
        self.queue.wake_sync(uid)
        return version

    def pin(self, uid: str, name: str, pinned: bool) -> Version:
        """Keep a version's files however many newer ones there are (`prune`), or stop keeping them."""
        return self.store.versions.pin(uid, name, pinned)

    def prune(self, uid: str) -> None:
        """Remove the files of versions that are too old by ``KEEP_VERSIONS``; their rows stay."""
        if removed := self.registry.prune(uid, keep=self.settings.keep_versions):
            log.info("project %s: the files of %s are removed", uid, ", ".join(removed))

    def delete_version(self, uid: str, name: str) -> None:
        """Remove a version's files; its row and its name stay. `Conflict` if it serves or is pinned."""
        self.registry.remove(uid, name)

    # Label issues

    def label_issues(self, uid: str, limit: int | None = None) -> list[LabelIssue]:
        """Labels that are probably mistakes, by the latest review, the surest first; without tasks changed since."""
        self.store.projects.get(uid)
        return self.store.reviews.label_issues(uid, limit=limit)

    def accept_label(self, uid: str, key: str, *, accepted: bool = True) -> LabelIssue | None:
        """The label of this issue (`LabelIssue.key`) is right until its task changes; ``None`` if there is no such."""
        return self.store.reviews.accept(uid, key, accepted=accepted)

    def preannotate(
        self, uid: str, label_studio: LabelStudioAPI, lease: Lease, *, on_progress: OnProgress = lambda _: None
    ) -> SyncResult | None:
        """Bring predictions of the current version, else of phrases, to Label Studio now (`preannotate_project`)."""
        project = self.store.projects.get(uid)
        load = open_text_loader(self.settings, project)
        if project.current_version is None:
            update_phrases(self.store, label_studio, uid, load=load)
        return preannotate_project(
            self.store, self.registry, label_studio, uid, lease, load=load, on_progress=on_progress
        )

    def sync_lease(self, uid: str) -> Lease:
        """The lease that a process needs to bring a project's predictions to Label Studio."""
        return Lease(self.store.leases, "sync", uid)

    def request_sync(self, uid: str) -> None:
        """Ask a worker to bring predictions to Label Studio; without a version many requests are one (`Phrases`)."""
        is_first = self.store.syncs.request(uid)
        if is_first or self.store.projects.current_version(uid):
            self.queue.wake_sync(uid, after=self.store.phrases.due_in(uid))
