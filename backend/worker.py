"""What a worker does for the loop: carry out runs and reviews, refresh predictions, mend what was left undone."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from huey.consumer import Consumer
from sqlalchemy.exc import SQLAlchemyError

from backend.errors import BackendError, LabelStudioError
from backend.label_studio.card import Cards
from backend.label_studio.client import LabelStudio, open_label_studio
from backend.label_studio.preannotate import bring_up_to_date
from backend.label_studio.reconcile import lost_changes
from backend.loop import Loop
from backend.service import open_service
from backend.settings import Settings
from backend.store.lease import Turn
from backend.store.models import LIVE, Project, Run
from backend.training.process import RunProcesses

log = logging.getLogger(__name__)

STALLED_SECONDS = 60.0
"""A run whose process wrote no heartbeat for so long is taken for dead."""

EXIT_SECONDS = 30.0
"""What a run's process gets to end by itself after its outcome is in its row."""

# One thread stays in a training run; the others refresh and reconcile meanwhile.
_THREADS = 3


class Worker:
    """The worker side of one `Loop`; its methods may be called from several threads and several workers at once."""

    def __init__(
        self, loop: Loop, label_studio: Callable[[Settings, Project], LabelStudio] = open_label_studio
    ) -> None:
        self._loop = loop
        self._store = loop.store
        self._label_studio = label_studio
        self._processes = RunProcesses(loop.settings.accelerate_config)
        self._reviews = RunProcesses(module="backend.training.review")
        self._training = threading.Lock()
        self._run: str | None = None
        self.cards = Cards(loop, label_studio, lambda: self._run)

    def train_queued_runs(self) -> None:
        """Carry out queued runs until none is left, then reviews that are due; return at once while that goes on.

        A review is ended within two seconds after a run is queued, and done again when there is nothing to train.
        """
        if not self._training.acquire(blocking=False):
            return
        try:
            while not self._processes.stopping.is_set():
                if run := self._store.runs.claim():
                    self._carry_out(run)
                elif not self._review_next():
                    break
        finally:
            self._training.release()

    def _carry_out(self, run: Run) -> None:
        log.info("run %s of project %s starts, attempt %s", run.id, run.project, run.attempt)
        self._run = run.id
        death = self._processes.run(
            run.id,
            environment=self._loop.settings.environment(),
            log_file=self._loop.registry.log_file(run.project, run.id),
            should_continue=lambda: self._is_wanted(run),
        )
        if self._processes.stopping.is_set():
            return
        if death:
            self._revive(run, death)
        self._loop.registry.clear_staging()
        ended = self._store.runs.get(run.id)
        log.info("run %s of project %s: %s %s", run.id, run.project, ended.state, ended.error or ended.version or "")
        if ended.state == "finished":
            self._loop.queue.wake_sync(run.project)
            self._loop.prune(run.project)
            self._loop.train_if_due(run.project)

    def _review_next(self) -> bool:
        """Look for wrong labels in a project that has been trained since; ``False`` where there is none to look at."""
        if not self._loop.settings.label_issues or self._trains():
            return False
        review = self._store.reviews.claim()
        if review is None:
            return False
        log.info("review %s of project %s starts", review.id, review.project)
        death = self._reviews.run(
            review.id,
            environment=self._loop.settings.environment(),
            log_file=self._loop.registry.log_file(review.project, "review"),
            should_continue=lambda: not self._trains(review.project),
        )
        if self._reviews.stopping.is_set() or self._trains(review.project):
            self._store.reviews.release(review.id)
        elif death:
            log.warning("review %s of project %s: %s", review.id, review.project, death)
            self._store.reviews.fail(review.id, death)
        return True

    def _trains(self, uid: str | None = None) -> bool:
        """Whether a run waits for a worker, or one of this project is going on some machine."""
        try:
            return bool(
                self._store.runs.latest(states=("queued",), limit=1)
                or (uid and self._store.runs.latest(project=uid, states=LIVE, limit=1))
            )
        except SQLAlchemyError as error:  # a database that cannot be asked ends no review
            log.warning("project %s: %s", uid, error)
            return False

    def _is_wanted(self, run: Run) -> bool:
        """Whether a run's process may go on: nobody cancelled the run, and no other process was given it."""
        try:
            now = self._store.runs.get(run.id)
        except SQLAlchemyError as error:  # a database that cannot be asked ends no run
            log.warning("run %s: %s", run.id, error)
            return True
        if now.finished_at is None:
            return (now.state, now.attempt) == ("started", run.attempt)
        return now.state != "cancelled" and time.time() < now.finished_at + EXIT_SECONDS

    def _revive(self, run: Run, death: str) -> None:
        if run.attempt < self._loop.settings.run_attempts:
            log.warning("run %s is queued again: %s", run.id, death)
            self._store.runs.requeue(run.id, attempt=run.attempt)
        else:
            reason = f"{death} It was tried {run.attempt} times."
            self._store.runs.end(run.id, "failed", attempt=run.attempt, error=reason)

    def stop(self) -> None:
        """End this worker's run processes; their runs are queued again for whoever works next."""
        self.cards.stop()
        for run_id in self._processes.stop_all():
            self._store.runs.requeue(run_id, counted=False)
        for review_id in self._reviews.stop_all():
            self._store.reviews.release(review_id)
        self._loop.registry.clear_staging()

    def sync_predictions(self, uid: str) -> None:
        """Bring the current version's predictions to Label Studio, again if that was asked for meanwhile."""
        with Turn(self._store, uid) as turn:
            try:
                if turn.take():
                    self._refresh_while_due(uid, turn)
            except BackendError as error:
                log.warning("project %s: predictions not refreshed, tried again within a minute: %s", uid, error)

    def _refresh_while_due(self, uid: str, turn: Turn) -> None:
        while turn.held() and self._store.refreshes.due(uid) is not None:
            label_studio = self._label_studio(self._loop.settings, self._store.projects.get(uid))
            if done := bring_up_to_date(self._loop, label_studio, uid, turn):
                log.info("project %s: %s predictions stored", uid, done.stored)

    def reconcile(self) -> None:
        """Mend what a crash or a lost message left undone; called every minute and when a worker starts."""
        for run in self._store.runs.stalled(silent_for=STALLED_SECONDS):
            self._revive(run, "The training process or its machine went away.")
        self._loop.registry.clear_staging()
        self._loop.queue.wake_training()
        for project in self._store.projects.all():
            if self._store.refreshes.due(project.uid) is not None:
                self._loop.queue.wake_sync(project.uid)
            self._reconcile_labels(project)

    def _reconcile_labels(self, project: Project) -> None:
        try:
            changed = lost_changes(self._store, self._label_studio(self._loop.settings, project), project)
        except LabelStudioError as error:
            log.warning("project %s cannot be compared with Label Studio: %s", project.uid, error)
            self._store.projects.note_comparison(project.uid, str(error))
        else:
            self._store.projects.note_comparison(project.uid, None)
            if changed:
                log.info("project %s: %s tasks changed unseen", project.uid, len(changed))
                self._loop.tasks_changed(project.uid, changed)


def work(settings: Settings) -> None:
    """Carry out jobs until SIGTERM or SIGINT; a run in progress is queued again for the next worker."""
    loop, queue = open_service(settings)
    worker = queue.worker = Worker(loop)
    queue.wake_reconcile()
    worker.cards.start()
    try:
        Consumer(queue.huey, workers=_THREADS, max_delay=1.0, shutdown_timeout=2.0).run()
    finally:
        worker.stop()
