"""What a worker does for the loop: carry out runs, refresh predictions, mend what was left undone."""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Callable

from huey.consumer import Consumer

from backend.errors import LabelStudioError
from backend.jobs import open_loop
from backend.label_studio import LabelStudio, open_label_studio
from backend.loop import Loop
from backend.reconcile import lost_changes
from backend.refresh import refresh
from backend.settings import Settings
from backend.tables import Project, Run
from backend.training.process import RunProcesses
from label_config import LabelConfig

log = logging.getLogger(__name__)

STALLED_SECONDS = 60.0
"""A run whose process wrote no heartbeat for so long is taken for dead."""

REFRESH_HOLD_SECONDS = 180.0
"""How long a refresh may be silent before another worker takes it over: Label Studio's slowest answer, twice."""


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
        self._processes = RunProcesses()
        self._training = threading.Lock()

    def work_off_runs(self) -> None:
        """Carry out queued runs until none is left; return at once while this worker trains already."""
        if not self._training.acquire(blocking=False):
            return
        try:
            while not self._processes.stopping.is_set() and (run := self._store.claim_run()):
                self._carry_out(run)
        finally:
            self._training.release()

    def _carry_out(self, run: Run) -> None:
        log.info("run %s of project %s starts, attempt %s", run.id, run.project, run.attempt)
        death = self._processes.carry_out(
            run.id,
            environment=self._loop.settings.environment(),
            log_file=self._loop.registry.log_file(run.project, run.id),
        )
        if self._processes.stopping.is_set():
            return
        if death:
            self._revive(run, death)
        ended = self._store.run(run.id)
        log.info("run %s of project %s: %s %s", run.id, run.project, ended.state, ended.error or ended.version)
        if ended.state == "finished":
            self._loop.wake.refresh(run.project)
            self._loop.train_if_due(run.project)

    def _revive(self, run: Run, death: str) -> None:
        if run.attempt < self._loop.settings.run_attempts:
            log.warning("run %s is queued again: %s", run.id, death)
            self._store.requeue_run(run.id, attempt=run.attempt)
        else:
            reason = f"{death} It was tried {run.attempt} times."
            self._store.end_run(run.id, "failed", attempt=run.attempt, error=reason)

    def stop(self) -> None:
        """End this worker's run processes; their runs are queued again for whoever works next."""
        for run_id in self._processes.stop_all():
            self._store.requeue_run(run_id, counted=False)

    def refresh_predictions(self, uid: str) -> None:
        """Bring the current version's predictions to Label Studio, again if that was asked for meanwhile."""
        holder = secrets.token_hex(8)
        try:
            while self._hold_refresh(uid, holder) and (request := self._store.refresh_due(uid)) is not None:
                if self._refresh(self._store.project(uid), holder):
                    self._store.refresh_served(uid, request)
        except LabelStudioError as error:
            log.warning("project %s: predictions not refreshed, tried again within a minute: %s", uid, error)
        finally:
            self._store.hold_refresh(uid, seconds=0, holder=holder)

    def _refresh(self, project: Project, holder: str) -> bool:
        version = project.current_version
        if version is None:
            return True
        label_studio = self._label_studio(self._loop.settings, project)

        def still_wanted() -> bool:
            current = self._store.project(project.uid).current_version
            return current == version and self._hold_refresh(project.uid, holder)

        done = refresh(
            label_studio,
            project.id,
            version=version,
            tagger=self._loop.registry.tagger(project.uid, version),
            config=LabelConfig.from_xml(label_studio.project(project.id).label_config),
            keep_going=still_wanted,
        )
        log.info("project %s: %s predictions of %s stored", project.uid, done.stored, version)
        return done.complete

    def _hold_refresh(self, uid: str, holder: str) -> bool:
        return self._store.hold_refresh(uid, seconds=REFRESH_HOLD_SECONDS, holder=holder)

    def reconcile(self) -> None:
        """Mend what a crash or a lost message left undone; called every minute and when a worker starts."""
        for run in self._store.stalled_runs(silent_for=STALLED_SECONDS):
            self._revive(run, "The training process or its machine went away.")
        self._loop.wake.training()
        for project in self._store.projects():
            if self._store.refresh_due(project.uid) is not None:
                self._loop.wake.refresh(project.uid)
            self._reconcile_labels(project)

    def _reconcile_labels(self, project: Project) -> None:
        try:
            changed = lost_changes(self._store, self._label_studio(self._loop.settings, project), project)
        except LabelStudioError as error:
            log.warning("project %s cannot be compared with Label Studio: %s", project.uid, error)
        else:
            if changed:
                log.info("project %s: %s tasks changed unseen", project.uid, len(changed))
                self._loop.tasks_changed(project.uid, changed)


def work(settings: Settings) -> None:
    """Carry out jobs until SIGTERM or SIGINT; a run in progress is queued again for the next worker."""
    loop, jobs = open_loop(settings)
    worker = jobs.worker = Worker(loop)
    jobs.reconcile()
    try:
        Consumer(jobs.huey, workers=_THREADS, max_delay=1.0, shutdown_timeout=2.0).run()
    finally:
        worker.stop()
