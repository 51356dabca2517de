"""The worker: executes training runs and reviews, syncs predictions, and repairs what a crash left undone."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from huey.consumer import Consumer
from sqlalchemy.exc import SQLAlchemyError

from backend.errors import BackendError, Conflict, LabelStudioError, ProjectReplaced
from backend.label_studio.api import LabelStudioAPI
from backend.label_studio.card import Cards
from backend.label_studio.client import open_label_studio
from backend.label_studio.old_predictions import delete_old_predictions, outdated_versions
from backend.label_studio.reconcile import lost_changes
from backend.loop import Loop
from backend.service import open_service
from backend.settings import Settings
from backend.store.lease import Lease
from backend.store.models import LIVE, Project, Run
from backend.training.process import RunProcesses

if TYPE_CHECKING:
    from backend.inference.imported import Aggregation
    from backend.training.import_model import ImportedVersion

log = logging.getLogger(__name__)

EXIT_SECONDS = 30.0
"""Time that a run's process has to exit after it wrote its outcome."""

DELETION_SECONDS = 20.0
"""How long a worker deletes old predictions of a project before others may take the project's sync lease."""

DELETION_PAUSE = 3.0
"""Until it goes on: longer than `preannotate` waits between two attempts to take the lease."""

# One thread waits for a training run; the others sync and reconcile meanwhile.
_THREADS = 3


class Worker:
    """The worker side of one `Loop`; its methods may be called from several threads and several workers at once."""

    def __init__(
        self, loop: Loop, label_studio: Callable[[Settings, Project], LabelStudioAPI] = open_label_studio
    ) -> None:
        self._loop = loop
        self._store = loop.store
        self._label_studio = label_studio
        self._processes = RunProcesses(loop.settings.accelerate_config)
        self._reviews = RunProcesses(module="backend.training.review")
        self._training = threading.Lock()
        self._current_run: str | None = None
        self._deleted: dict[str, list[str]] = {}
        self.cards = Cards(loop.settings, loop.store, label_studio, lambda: self._current_run)

    def train_queued_runs(self) -> None:
        """Execute queued runs until none is left, then reviews that are due; return at once if another thread does so.

        A review is ended within two seconds after a run is queued, and started again when there is nothing to train.
        One that is overdue is executed before runs that no person has asked for, which do not end it; after it the next
        run is executed, so that neither waits for more than one of the other kind.
        """
        self._loop.queue_requested_runs()
        if not self._training.acquire(blocking=False):
            return
        try:
            while not self._processes.stopping.is_set():
                reviewed = self._review_next(overdue=True)
                if self._processes.stopping.is_set():
                    break
                if run := self._store.runs.claim():
                    self._execute(run)
                elif not (reviewed or self._review_next()):
                    break
        finally:
            self._training.release()

    def _execute(self, run: Run) -> None:
        log.info("run %s of project %s starts, attempt %s", run.id, run.project, run.attempt)
        self._current_run = run.id
        death = self._processes.run(
            run.id,
            environment=self._loop.settings.environment(),
            log_file=self._loop.registry.log_file(run.project, run.id),
            should_continue=lambda: self._may_continue(run),
        )
        if self._processes.stopping.is_set():
            return
        if death:
            self._retry_or_fail(run, death)
        self._loop.registry.clear_staging()
        ended = self._store.runs.get(run.id)
        log.info("run %s of project %s: %s %s", run.id, run.project, ended.state, ended.error or ended.version or "")
        if ended.state == "finished":
            self._loop.queue.wake_sync(run.project)
            self._loop.prune(run.project)
            self._loop.train_if_due(run.project)

    def _review_next(self, *, overdue: bool = False) -> bool:
        """Review the labels of a project that was trained since its last review; ``False`` where no review is due.

        An ``overdue`` review (`Reviews.claim`) gives way to runs that people have asked for, and to no other.
        """
        if not self._loop.settings.label_issues or self._is_training(by_people=overdue):
            return False
        review = self._store.reviews.claim(overdue=overdue)
        if review is None:
            return False
        log.info("review %s of project %s starts%s", review.id, review.project, ": it is overdue" if overdue else "")
        death = self._reviews.run(
            review.id,
            environment=self._loop.settings.environment(),
            log_file=self._loop.registry.log_file(review.project, "review"),
            should_continue=lambda: not self._is_training(review.project, by_people=overdue),
        )
        if self._reviews.stopping.is_set() or self._is_training(review.project, by_people=overdue):
            self._store.reviews.release(review.id)
        elif death:
            log.warning("review %s of project %s: %s", review.id, review.project, death)
            self._store.reviews.fail(review.id, death)
        return True

    def _is_training(self, uid: str | None = None, *, by_people: bool = False) -> bool:
        """Whether a run is queued, or one of this project in progress; ``by_people``: one that people asked for."""
        latest = self._store.runs.latest
        try:
            return bool(
                latest(states=("queued",), by_people=by_people, limit=1)
                or (uid and latest(project=uid, states=LIVE, by_people=by_people, limit=1))
            )
        except SQLAlchemyError as error:  # a database that is away for a moment ends no review
            log.warning("project %s: %s", uid, error)
            return False

    def _may_continue(self, run: Run) -> bool:
        """Whether a run's process may continue: the run was neither cancelled nor given to another process."""
        try:
            now = self._store.runs.get(run.id)
        except SQLAlchemyError as error:  # a database that is away for a moment ends no run
            log.warning("run %s: %s", run.id, error)
            return True
        if now.finished_at is None:
            return (now.state, now.attempt) == ("started", run.attempt)
        return now.state != "cancelled" and time.time() < now.finished_at + EXIT_SECONDS

    def _retry_or_fail(self, run: Run, death: str) -> None:
        if run.attempt < self._loop.settings.run_attempts:
            log.warning("run %s is queued again: %s", run.id, death)
            self._store.runs.requeue(run.id, attempt=run.attempt)
        else:
            reason = f"{death} It was tried {run.attempt} times."
            self._store.runs.end(run.id, "failed", attempt=run.attempt, error=reason)

    def stop(self) -> None:
        """End this worker's run processes; their runs are queued again for the next worker."""
        self.cards.stop()
        for run_id in self._processes.stop_all():
            self._store.runs.requeue(run_id, counted=False)
        for review_id in self._reviews.stop_all():
            self._store.reviews.release(review_id)
        self._loop.registry.clear_staging()

    def sync_predictions(self, uid: str) -> None:
        """Bring predictions to Label Studio until no request is left, then delete old ones for `DELETION_SECONDS`."""
        finished = True
        with self._loop.sync_lease(uid) as lease:
            try:
                if lease.acquire():
                    self._sync_while_pending(uid, lease)
                    finished = self._delete_old_predictions(uid, lease)
                    # A sync that was requested during the deletion did not get the lease.
                    self._sync_while_pending(uid, lease)
            except BackendError as error:
                log.warning("project %s: sync failed, tried again within a minute: %s", uid, error)
        if not finished:
            self._loop.queue.wake_sync(uid, after=DELETION_PAUSE)

    def _delete_old_predictions(self, uid: str, lease: Lease) -> bool:
        """``False`` where the time was too short; an error is logged, and `reconcile` tries again."""
        outdated = outdated_versions(self._store, uid)
        if not outdated or self._loop.settings.keep_predictions == "all":
            return True
        until = time.monotonic() + DELETION_SECONDS

        def keep_going() -> bool:
            if time.monotonic() > until or self._processes.stopping.is_set():
                return False
            return lease.renew() and self._store.syncs.pending(uid) is None

        try:
            label_studio = self._label_studio(self._loop.settings, self._store.projects.get(uid))
            finished = delete_old_predictions(self._store, label_studio, uid, keep_going=keep_going)
        except BackendError as error:
            log.warning("project %s: predictions of old versions are not deleted yet: %s", uid, error)
            return True
        if finished:
            self._deleted[uid] = outdated
        return finished

    def _has_old_predictions(self, project: Project) -> bool:
        """Whether there may be predictions of old versions: also of those before this worker started."""
        if self._loop.settings.keep_predictions == "all" or project.current_version is None:
            return False
        return self._deleted.get(project.uid) != outdated_versions(self._store, project.uid)

    def _sync_while_pending(self, uid: str, lease: Lease) -> None:
        synced = False
        while lease.renew() and self._store.syncs.pending(uid) is not None:
            if due_in := self._store.phrases.due_in(uid):
                if synced:  # requests that came during the sync have woken nobody
                    self._loop.queue.wake_sync(uid, after=due_in)
                return
            label_studio = self._label_studio(self._loop.settings, self._store.projects.get(uid))
            if result := self._loop.preannotate(uid, label_studio, lease):
                log.info("project %s: %s predictions stored", uid, result.stored)
            synced = True

    def reconcile(self) -> None:
        """Repair what a crash or a lost webhook left undone; called every minute and when a worker starts."""
        for run in self._store.runs.stalled():
            self._retry_or_fail(run, "The training process or its machine died.")
        self._loop.registry.clear_staging()
        self._loop.queue.wake_training()
        for project in self._store.projects.all():
            if self._store.syncs.pending(project.uid) is not None:
                self._loop.queue.wake_sync(project.uid)
            self._reconcile_labels(project)

    def _reconcile_labels(self, project: Project) -> None:
        try:
            changed = lost_changes(self._store, self._label_studio(self._loop.settings, project), project)
        except (LabelStudioError, ProjectReplaced) as error:
            log.warning("project %s cannot be compared with Label Studio: %s", project.uid, error)
            self._store.projects.note_comparison(project.uid, str(error))
        else:
            self._store.projects.note_comparison(project.uid, None)
            if self._has_old_predictions(project):
                self._loop.queue.wake_sync(project.uid)
            if changed:
                log.info("project %s: %s tasks changed without a webhook", project.uid, len(changed))
                self._loop.tasks_changed(project.uid, changed)


def review_now(loop: Loop, uid: str, *, on_progress: Callable[[float], None]) -> None:
    """Review a project's labels in this process; `Conflict` where another process does so."""
    from backend.training.review import run_review

    review = loop.store.reviews.begin(uid)
    if review is None:
        raise Conflict("The labels of this project are being reviewed already: wait for the end of that review.")
    try:
        run_review(loop.settings, loop.store, review, progress=on_progress)
    finally:
        loop.store.reviews.release(review.id)


def import_now(
    loop: Loop,
    uid: str,
    source: str,
    *,
    given: Mapping[str, str],
    aggregation: Aggregation,
    on_progress: Callable[[str, float], None],
) -> ImportedVersion:
    """Make a version of a model that was trained elsewhere, in this process (`import_model`)."""
    from backend.training.import_model import import_model, read_project

    settings = loop.settings
    on_progress("reading the project", 0.0)
    texts = read_project(loop.store, uid, open_label_studio(settings, loop.store.projects.get(uid)), settings)
    imported = import_model(
        loop.registry, loop.store, uid, source, texts, given=given, aggregation=aggregation,
        tolerance=settings.promotion_tolerance, precision=settings.precision, progress=on_progress,
    )  # fmt: skip
    if imported.promoted:
        loop.queue.wake_sync(uid)
    return imported


def work(settings: Settings) -> None:
    """Execute the queue's tasks until SIGTERM or SIGINT; a run in progress is queued again for the next worker."""
    loop, queue = open_service(settings)
    worker = queue.worker = Worker(loop)
    queue.wake_reconcile()
    worker.cards.start()
    loop.store.leases.forget_lapsed("worker")
    with Lease(loop.store.leases, "worker", secrets.token_hex(8)) as lease:  # `check` counts the workers
        lease.acquire()
        try:
            Consumer(queue.huey, workers=_THREADS, max_delay=1.0, shutdown_timeout=2.0).run()
        finally:
            worker.stop()
