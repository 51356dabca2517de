"""Writes the state of the loop on the ML backend's card in Label Studio.

The card in Settings → Model shows a backend's title, whether it answers, and its address; its description is in the API
only. So the title ends with the state in a few words, and the description with the whole state. Text that a person
wrote before the marks stays.
"""

from __future__ import annotations

import logging
import re
import textwrap
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from backend.errors import BackendError
from backend.evaluation.verdict import describe
from backend.label_studio.api import Backends, LabelStudioAPI, RemoteBackend
from backend.label_studio.identity import same_project
from backend.scores import Score
from backend.settings import Settings
from backend.store import Store
from backend.store.models import LIVE, Project, Run, Version

log = logging.getLogger(__name__)

TITLE_MARK = " ▸ "
DESCRIPTION_MARK = "▸ Written by the ML backend:"

REASON_LENGTH = 70
"""Characters of a title that say why a run made no version."""

UPDATE_SECONDS = 5.0
"""How often a card may change: each change makes Label Studio call this service six times."""

PAUSE_SECONDS = 60.0
"""How long a project's card is left alone after Label Studio did not answer or had no such backend."""


@dataclass(frozen=True, slots=True)
class Card:
    """The state of a project's loop: in a few words (title), and in whole sentences (description)."""

    title: str
    description: str

    def appended_to(self, title: str, description: str) -> Card:
        """The title and the description with this state after the marks, in place of an earlier state."""
        written_by_hand = description.partition(DESCRIPTION_MARK)[0].rstrip()
        state = f"{DESCRIPTION_MARK}\n{self.description}"
        return Card(
            title.partition(TITLE_MARK)[0] + TITLE_MARK + self.title,
            f"{written_by_hand}\n\n{state}" if written_by_hand else state,
        )


def card_of(current: Version | None, runs: list[Run], newest: Version | None, *, page: str) -> Card:
    """The state in words: the ``current`` version, the latest of ``runs`` (newest first), the ``newest`` version.

    ``page`` is the address of the project's page in the dashboard.
    """
    live = sorted((run for run in runs if run.state in LIVE), key=lambda run: run.state == "queued")
    ended = next((run for run in runs if run.state not in LIVE), None)
    title, sentences = [_serving(current)], [_serving_in_full(current)]
    if live:
        title.append(_short(live[0]))
        sentences.insert(0, _in_full(live[0]))
    elif ended and ended.state == "failed":
        outcome = "too few labels" if ended.lacks_labels else "training failed"
        title.append(f"{outcome}: {few_words(ended.error)}" if ended.error else outcome)
    if ended and ended.state == "failed":
        outcome = "made no version" if ended.lacks_labels else "failed"
        sentences.append(f"The training run of {_moment(ended)} {outcome}: {ended.error or 'no reason was stored'}")
    elif ended and ended.state == "cancelled":
        sentences.append(f"The training run of {_moment(ended)} was cancelled.")
    elif newest and (current is None or newest.name != current.name) and (outcome := describe(newest)):
        sentences.append(f"{newest.name}: {outcome}.")
    return Card(", ".join(title), "\n".join([*sentences, f"The project's page: {page}"]))


def few_words(sentence: str) -> str:
    """The beginning of an error message, without its details and its remedy, at most `REASON_LENGTH` characters."""
    reason = re.split(r": | \(|; |\. |\.$", " ".join(sentence.split()), maxsplit=1)[0]
    return textwrap.shorten(reason, REASON_LENGTH, placeholder=" …")


def _serving(version: Version | None) -> str:
    if version is None:
        return "no model yet"
    return f"{version.name} ({Score.from_metrics(version.metrics).short})"


def _serving_in_full(version: Version | None) -> str:
    if version is None:
        return "No model yet: label some tasks, then press Start Training."
    return f"{version.name} serves: {Score.from_metrics(version.metrics).sentence}."


def _short(run: Run) -> str:
    return "waiting to train" if run.state == "queued" else f"training {run.progress * 100:.0f} %"


def _in_full(run: Run) -> str:
    if run.state == "queued":
        return f"A training run waits for a worker ({run.reason})."
    left = "" if run.eta_seconds is None else f", about {max(1, round(run.eta_seconds / 60))} min left"
    return f"Training: {run.phase}, {run.progress * 100:.0f} %{left} ({run.reason})."


def _moment(run: Run) -> str:
    return datetime.fromtimestamp(run.finished_at or run.queued_at, UTC).strftime("%Y-%m-%d %H:%M UTC")


class Cards:
    """Updates the cards of all projects, on a thread of the worker; errors of Label Studio do not affect the worker.

    A run in progress is shown by the worker that executes it: ``current_run`` returns its id.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        label_studio: Callable[[Settings, Project], LabelStudioAPI],
        current_run: Callable[[], str | None],
    ) -> None:
        self._settings = settings
        self._store = store
        self._label_studio = label_studio
        self._current_run = current_run
        self._confirmed: dict[str, Card] = {}
        self._paused_until: dict[str, float] = {}
        self._stopped = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._update_until_stopped, name="cards", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def _update_until_stopped(self) -> None:
        while not self._stopped.wait(UPDATE_SECONDS):
            try:
                self.update()
            except SQLAlchemyError as error:  # the database may answer the next time
                log.warning("the cards in Label Studio were not updated: %s", error)
            except Exception:
                log.exception("the cards in Label Studio were not updated")

    def update(self) -> None:
        """Write every card whose state is not the current one."""
        for project in self._store.projects.all():
            if time.monotonic() < self._paused_until.get(project.uid, 0.0):
                continue
            try:
                self._update_project(project)
            except BackendError as error:
                self._pause(project, str(error))

    def _update_project(self, project: Project) -> None:
        runs = self._store.runs.latest(project=project.uid, limit=10)
        if any(run.state == "started" and run.id != self._current_run() for run in runs):
            return
        versions = self._store.versions.of(project.uid)
        current = next((version for version in versions if version.name == project.current_version), None)
        page = self._settings.project_url(project.uid)
        card = card_of(current, runs, next(iter(versions), None), page=page)
        if card != self._confirmed.get(project.uid) and self._is_written(project, card):
            self._confirmed[project.uid] = card

    def _is_written(self, project: Project, card: Card) -> bool:
        """Whether Label Studio has this card; writes it where it has another one.

        A card just written is confirmed by the next update only: Label Studio saves whole rows, so a settings page that
        was opened before puts back the text it had read.
        """
        label_studio = self._label_studio(self._settings, project)
        same_project(label_studio, project.uid)
        backend = _this_service(label_studio, project, self._store.projects.serving(project.uid))
        if backend is None:
            self._pause(project, "none, or more than one, of its ML backends in Label Studio has the current version")
            return False
        wanted = card.appended_to(backend.title, backend.description)
        if (wanted.title, wanted.description) == (backend.title, backend.description):
            return True
        label_studio.describe_backend(project.id, backend, title=wanted.title, description=wanted.description)
        return False

    def _pause(self, project: Project, reason: str) -> None:
        log.debug("project %s: its card is not updated: %s", project.uid, reason)
        self._paused_until[project.uid] = time.monotonic() + PAUSE_SECONDS


def _this_service(label_studio: Backends, project: Project, serving: str) -> RemoteBackend | None:
    """The only ML backend that answers Label Studio with what serves here."""
    backends = [backend for backend in label_studio.backends(project.id) if backend.model_version == serving]
    return backends[0] if len(backends) == 1 else None
