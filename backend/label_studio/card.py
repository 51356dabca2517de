"""What the ML backend's card in Label Studio tells of the loop.

The card in Settings → Model shows a backend's title, whether it answers, and its address; its description is in the API
and in nothing else. So the title ends with the state in a few words, and the description with all of it. What somebody
wrote before the marks is theirs and stays.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError

from backend.errors import BackendError
from backend.label_studio.api import RemoteBackend
from backend.label_studio.client import LabelStudio
from backend.label_studio.identity import same_project
from backend.loop import UNTRAINED, Loop
from backend.scores import f1_in_words
from backend.settings import Settings
from backend.store.models import LIVE, Project, Run, Version

log = logging.getLogger(__name__)

TITLE_MARK = " ▸ "
DESCRIPTION_MARK = "▸ Written by the ML backend:"

LOOK_SECONDS = 5.0
"""How often a card may change: each change makes Label Studio call this service six times."""

REST_SECONDS = 60.0
"""After Label Studio was away, or had no such backend."""


@dataclass(frozen=True, slots=True)
class Card:
    """The state of a project's loop: in a few words, and in whole sentences."""

    title: str
    description: str

    def beside(self, title: str, description: str) -> Card:
        """Put what is ours behind what is not, in place of what was ours before."""
        theirs = description.partition(DESCRIPTION_MARK)[0].rstrip()
        ours = f"{DESCRIPTION_MARK}\n{self.description}"
        return Card(title.partition(TITLE_MARK)[0] + TITLE_MARK + self.title, f"{theirs}\n\n{ours}" if theirs else ours)


def card_of(current: Version | None, runs: list[Run], newest: Version | None) -> Card:
    """Say it: which version serves, what the latest of ``runs`` (newest first) does or did, and ``newest`` became."""
    live = sorted((run for run in runs if run.state in LIVE), key=lambda run: run.state == "queued")
    ended = next((run for run in runs if run.state not in LIVE), None)
    title, sentences = [_serving(current)], [_serving_in_full(current)]
    if live:
        title.append(_short(live[0]))
        sentences.insert(0, _in_full(live[0]))
    elif ended and ended.state == "failed":
        title.append("training failed")
    if ended and ended.state == "failed":
        sentences.append(f"The training run of {_moment(ended)} failed: {ended.error or 'no reason was noted'}")
    elif ended and ended.state == "cancelled":
        sentences.append(f"The training run of {_moment(ended)} was cancelled.")
    elif newest and (current is None or newest.name != current.name):
        sentences.append(f"{newest.name}: {newest.verdict}.")
    return Card(", ".join(title), "\n".join(sentences))


def _serving(version: Version | None) -> str:
    if version is None:
        return "no model yet"
    f1 = version.metrics.get("f1")
    return version.name if f1 is None else f"{version.name} (F1 {f1:.3f})"


def _serving_in_full(version: Version | None) -> str:
    if version is None:
        return "No model yet: label some tasks, then press Start Training."
    return f"{version.name} serves: {f1_in_words(version.metrics)}."


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
    """Keeps the cards of all projects current, on a thread of the worker; Label Studio's absence disturbs nothing.

    A run that is going is shown by the worker that carries it out: ``mine`` tells its id.
    """

    def __init__(
        self, loop: Loop, label_studio: Callable[[Settings, Project], LabelStudio], mine: Callable[[], str | None]
    ) -> None:
        self._loop = loop
        self._label_studio = label_studio
        self._mine = mine
        self._shown: dict[str, Card] = {}
        self._rest_until: dict[str, float] = {}
        self._ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._keep, name="cards", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def _keep(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            try:
                self.look()
            except SQLAlchemyError as error:  # the next look may find the database again
                log.warning("the cards in Label Studio are not brought up to date: %s", error)
            except Exception:
                log.exception("the cards in Label Studio are not brought up to date")

    def look(self) -> None:
        """Bring every card up to date that says something else than is true now."""
        for project in self._loop.store.projects.all():
            if time.monotonic() < self._rest_until.get(project.uid, 0.0):
                continue
            try:
                self._bring_up_to_date(project)
            except BackendError as error:
                self._rest(project, str(error))

    def _bring_up_to_date(self, project: Project) -> None:
        store = self._loop.store
        runs = store.runs.latest(project=project.uid, limit=10)
        if any(run.state == "started" and run.id != self._mine() for run in runs):
            return
        versions = store.versions.of(project.uid)
        current = next((each for each in versions if each.name == project.current_version), None)
        card = card_of(current, runs, next(iter(versions), None))
        if card != self._shown.get(project.uid) and self._stands(project, card):
            self._shown[project.uid] = card

    def _stands(self, project: Project, card: Card) -> bool:
        """Read what the card says, and write it where that is something else.

        What is written counts at the next look, if it stands then: Label Studio saves whole rows, so that a page that
        was opened before our words came puts back what it had read.
        """
        label_studio = self._label_studio(self._loop.settings, project)
        same_project(label_studio, project.uid)
        backend = _ours(label_studio.backends(project.id), project)
        if backend is None:
            self._rest(project, "it has no ML backend there that is certainly this service")
            return False
        wanted = card.beside(backend.title, backend.description)
        if (wanted.title, wanted.description) == (backend.title, backend.description):
            return True
        label_studio.describe_backend(project.id, backend, title=wanted.title, description=wanted.description)
        return False

    def _rest(self, project: Project, reason: str) -> None:
        log.debug("project %s: its card is left as it is: %s", project.uid, reason)
        self._rest_until[project.uid] = time.monotonic() + REST_SECONDS


def _ours(backends: list[RemoteBackend], project: Project) -> RemoteBackend | None:
    """The one that has just answered Label Studio with the version that serves here; nobody else gives that name."""
    serving = project.current_version or UNTRAINED
    answering = [each for each in backends if each.model_version == serving]
    return answering[0] if len(answering) == 1 else None
