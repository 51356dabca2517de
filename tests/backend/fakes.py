"""Stand-ins for what the backend's tests do without: Label Studio, a model, the queue."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from backend.errors import LabelStudioError, LabelStudioRejected
from backend.inference.tagger import OfferedLabels, Tagging
from backend.label_studio.api import (
    Page,
    Prediction,
    RemoteBackend,
    RemoteProject,
    RemoteWebhook,
    StoredPrediction,
    UnlabelledTask,
)
from backend.store import Store
from backend.store.changes import settle_changes
from converters.document import Span

UID = "7.1795221978"
"""Project 7, created on 21 November 2026, 00:46:18 UTC."""

LABELS = ("Dish", "Cuisine", "Location")

LABEL_CONFIG = """<View>
  <Labels name="label" toName="text">
    <Label value="Dish"/><Label value="Cuisine"/><Label value="Location"/>
  </Labels>
  <Text name="text" value="$text"/>
</View>"""


def event(action: str, *, uid: str = UID, **fields: Any) -> dict[str, Any]:
    """A webhook's body."""
    number, _, seconds = uid.partition(".")
    project = {"id": int(number), "created_at": int(seconds), "title": "Restaurants", "label_config": LABEL_CONFIG}
    return {"action": action, "project": project, **fields}


def saved(
    task: int, *, annotation: int | None = None, action: str = "ANNOTATION_CREATED", **fields: Any
) -> dict[str, Any]:
    """The body that follows a submitted, updated or skipped annotation of a task."""
    return event(action, annotation={"id": annotation or 1000 + task, "task": task, **fields})


def remote_project(**fields: Any) -> RemoteProject:
    """Project 7 as Label Studio describes it."""
    defaults = {"id": 7, "uid": UID, "title": "Restaurants", "label_config": LABEL_CONFIG}
    return RemoteProject(**{**defaults, "tasks": 0, "annotations": 0, "model_version": "", **fields})


def settle(store: Store, revision: int, uid: str = UID) -> None:
    """Forget a project's changes, as the end of a run does that took them in."""
    with store._database.write() as session:
        settle_changes(session, uid, revision)


class FakeQueue:
    """A queue that only records the calls."""

    def __init__(self) -> None:
        self.trainings = 0
        self.later: list[float] = []
        self.syncs: list[str] = []

    def wake_training(self, *, after: float = 0.0) -> None:
        if after:
            self.later.append(after)
        else:
            self.trainings += 1

    def wake_sync(self, uid: str, *, after: float = 0.0) -> None:
        if after:
            self.later.append(after)
        else:
            self.syncs.append(uid)


class SushiTagger:
    """A model that knows one dish, and is less sure of longer texts. Parts have three texts."""

    labels = LABELS

    def tag_text(self, text: str) -> Tagging:
        matches = re.finditer("sushi", text)
        return Tagging(tuple(Span(match.start(), match.end(), "Dish", 0.9) for match in matches), 1 / (1 + len(text)))

    def tag(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> list[Tagging]:
        offered = labels or [None] * len(texts)
        return [
            replace(tagging, spans=tuple(span for span in tagging.spans if of_text is None or span.label in of_text))
            for tagging, of_text in zip(map(self.tag_text, texts), offered, strict=True)
        ]

    def tag_parts(self, texts: Sequence[str], labels: OfferedLabels | None = None) -> Iterator[list[Tagging]]:
        for start in range(0, len(texts), 3):
            yield self.tag(texts[start : start + 3], labels and labels[start : start + 3])


class WholeTextTagger(SushiTagger):
    """A model that takes every text for a dish."""

    def tag_text(self, text: str) -> Tagging:
        return Tagging((Span(0, len(text), "Dish", 1.0),), 1.0)


class FakeLabelStudio:
    """One project of Label Studio, in memory; implements `LabelStudioAPI`.

    ``down`` is raised by every call. Tasks in ``gone`` refuse a prediction; ``twice`` are the tasks that were sent a
    second prediction of a version. A region has the label that ``labels`` gives its task, else Dish, and is by the user
    whom ``authors`` gives; ``names`` are those of users. Pages have ``page`` tasks. ``credentials`` are keyed by URL.
    ``refused`` has the error with which a method answers. ``deletions`` are the ids of predictions deleted one at a
    time, and the versions deleted in one request; ``replaced`` are the tasks whose prediction was replaced.
    """

    def __init__(self, uid: str = UID, *, tasks: int = 0, down: LabelStudioError | None = None) -> None:
        self.uid = uid
        self.label_config = LABEL_CONFIG
        self.texts = {number: f"sushi number {number}" for number in range(1, tasks + 1)}
        self.owners: dict[int, int] = {}
        self.skipping: dict[int, int] = {}
        self.labels: dict[int, str] = {}
        self.authors: dict[int, int] = {}
        self.names: dict[int, str] = {}
        self.stored: dict[tuple[int, str], Prediction] = {}
        self.shown = ""
        self.gone: set[int] = set()
        self.twice: set[int] = set()
        self.page = 500
        self.ml_backends: list[RemoteBackend] = []
        self.credentials: dict[str, tuple[str, str] | None] = {}
        self.hooks: list[RemoteWebhook] = []
        self.refused: dict[str, LabelStudioError] = {}
        self.prelabelling = False
        self.by_uncertainty = False
        self.version = "1.23.2"
        self.down = down
        self.imports: list[int] = []
        self.keys: dict[tuple[int, str], int] = {}
        self.deletions: list[int | str] = []
        self.replaced: list[int] = []
        self.tabs: dict[str, tuple[str, datetime]] = {}

    def annotate(self, *tasks: int) -> None:
        for task in tasks:
            self.owners[1000 + task] = task

    def project(self, project_id: int) -> RemoteProject:
        self._answer("project")
        return remote_project(
            uid=self.uid,
            label_config=self.label_config,
            tasks=len(self.texts),
            annotations=len(self.owners),
            skips=len(self.skipping),
            model_version=self.shown,
            shows_predictions=self.prelabelling,
            by_uncertainty=self.by_uncertainty,
        )

    def annotation_tasks(self, project_id: int) -> dict[int, int]:
        self._answer()
        return dict(self.owners)

    def skips(self, project_id: int) -> set[int]:
        self._answer()
        return set(self.skipping)

    def count_skipped_tasks(self, project_id: int) -> int:
        self._answer("count_skipped_tasks")
        return len(set(self.skipping.values()) - set(self.owners.values()))

    def labelled_tasks(self, project_id: int) -> list[dict[str, Any]]:
        self._answer()
        return [
            {
                "id": task,
                "data": {"text": self.texts[task]},
                "annotations": [
                    _first_word(number, self.texts[task], self.labels.get(task, "Dish"))
                    | {"completed_by": self.authors.get(task)}
                ],
            }
            for number, task in self.owners.items()
        ]

    def users(self) -> dict[int, str]:
        self._answer("users")
        return dict(self.names)

    def unlabelled_tasks(self, project_id: int) -> list[UnlabelledTask]:
        self._answer()
        labelled = set(self.owners.values())
        return [
            UnlabelledTask(task, {"text": text}, frozenset(name for owner, name in self.stored if owner == task))
            for task, text in self.texts.items()
            if task not in labelled
        ]

    def unlabelled_pages(self, project_id: int, *, first: int = 0, last: int | None = None) -> Iterator[Page]:
        while True:
            tasks = [task for task in self.unlabelled_tasks(project_id) if task.id >= first]
            tasks = [task for task in tasks if last is None or task.id <= last]
            if not tasks:
                return
            yield Page(tasks[: self.page], len(tasks))
            first = tasks[: self.page][-1].id + 1

    def import_predictions(self, project_id: int, predictions: Sequence[Prediction]) -> int:
        self._answer()
        self.imports.append(len(predictions))
        if self.gone & {prediction.task for prediction in predictions}:
            raise LabelStudioRejected("Label Studio answered 400: a task does not exist")
        keyed = {(prediction.task, prediction.version): prediction for prediction in predictions}
        self.twice |= {task for task, version in keyed if (task, version) in self.stored}
        self.stored.update(keyed)
        return len(predictions)

    def create_prediction(self, prediction: Prediction) -> datetime:
        self._answer()
        if prediction.task in self.gone:
            raise LabelStudioRejected("Label Studio answered 400: the task does not exist")
        self.stored[prediction.task, prediction.version] = prediction
        return datetime.fromtimestamp(len(self.stored), UTC)

    def count_by_version(self, project_id: int) -> dict[str, int]:
        self._answer()
        return dict(Counter(version for _, version in self.stored))

    def prediction_ids(self, project_id: int, version: str, *, without: str) -> Iterator[list[int]]:
        tasks = sorted(self.predicted(version) - self.predicted(without))
        for start in range(0, len(tasks), self.page):
            self._answer()
            yield [self._key(task, version) for task in tasks[start : start + self.page]]

    def stored_predictions(self, project_id: int, version: str) -> Iterator[list[StoredPrediction]]:
        self._answer("stored_predictions")
        rows = [
            StoredPrediction(self._key(task.id, version), task.id, task.data, self.stored[task.id, version].regions)
            for task in self.unlabelled_tasks(project_id)
            if version in task.predicted_by
        ]
        for start in range(0, len(rows), self.page):
            yield rows[start : start + self.page]

    def replace_prediction(self, prediction_id: int, prediction: Prediction) -> None:
        self._answer("replace_prediction")
        assert self._key(prediction.task, prediction.version) == prediction_id
        self.stored[prediction.task, prediction.version] = prediction
        self.replaced.append(prediction.task)

    def delete_prediction(self, prediction_id: int) -> None:
        self._answer()
        self.deletions.append(prediction_id)
        self.stored = {key: value for key, value in self.stored.items() if self._key(*key) != prediction_id}

    def _key(self, task: int, version: str) -> int:
        return self.keys.setdefault((task, version), len(self.keys) + 1)

    def delete_predictions(self, project_id: int, version: str) -> None:
        self._answer("delete_predictions")
        self.deletions.append(version)
        if self.shown == version or self.shown in {backend.title for backend in self.ml_backends}:
            self.shown = ""
        self.stored = {key: prediction for key, prediction in self.stored.items() if key[1] != version}

    def show_tab(self, project_id: int, title: str, *, version: str, until: datetime) -> None:
        self._answer()
        self.tabs[title] = (version, until)

    def set_model_version(self, project_id: int, version: str) -> None:
        self._answer()
        if not any(name == version for _, name in self.stored):
            raise LabelStudioError(f"Label Studio answered 400: it holds no prediction of {version}")
        self.shown = version

    def user(self) -> str:
        self._answer("user")
        return "lead@example.com"

    def token_kind(self) -> str:
        self._answer("token_kind")
        return "personal access token"

    def release(self) -> str:
        self._answer("release")
        return self.version

    def backends(self, project_id: int) -> list[RemoteBackend]:
        self._answer()
        return list(self.ml_backends)

    def describe_backend(self, project_id: int, backend: RemoteBackend, *, title: str, description: str) -> None:
        self._answer()
        self.ml_backends = [
            replace(existing, title=title, description=description) if existing.id == backend.id else existing
            for existing in self.ml_backends
        ]

    def connect_backend(self, project_id: int, url: str, *, title: str, auth: tuple[str, str] | None) -> int:
        self._answer("connect_backend")
        ids = {backend.url: backend.id for backend in self.ml_backends}
        self.credentials[url] = auth
        if url not in ids:
            ids[url] = len(ids) + 1
            self.ml_backends.append(RemoteBackend(ids[url], url, title, "", "", "NONE", "", None))
        return ids[url]

    def test_backend(self, project_id: int, backend: RemoteBackend) -> None:
        self._answer("test_backend")

    def webhooks(self, project_id: int) -> list[RemoteWebhook]:
        self._answer("webhooks")
        return list(self.hooks)

    def save_webhook(self, project_id: int, url: str, header: str | None) -> bool:
        self._answer("save_webhook")
        others = [hook for hook in self.hooks if hook.url != url]
        created = len(others) == len(self.hooks)
        self.hooks = [*others, RemoteWebhook(len(others) + 1, url, header)]
        return created

    def delete_webhook(self, project_id: int, url: str) -> None:
        self._answer("delete_webhook")
        self.hooks = [hook for hook in self.hooks if hook.url != url]

    def prepare_labelling(self, project_id: int, *, by_uncertainty: bool) -> None:
        self._answer("prepare_labelling")
        self.prelabelling = True
        self.by_uncertainty = self.by_uncertainty or by_uncertainty

    def predicted(self, version: str) -> set[int]:
        """Tasks that have a prediction of a version."""
        return {task for task, name in self.stored if name == version}

    def _answer(self, method: str = "") -> None:
        if error := self.down or self.refused.get(method):
            raise error


def _first_word(number: int, text: Any, label: str) -> dict[str, Any]:
    """An annotation that marks the first five characters."""
    value = {"start": 0, "end": 5, "text": str(text)[:5], "labels": [label]}
    return {"id": number, "result": [{"from_name": "label", "to_name": "text", "type": "labels", "value": value}]}
