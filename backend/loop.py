"""The core: what the labelling–training loop can do. Every door calls this class and nothing below it."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from backend.inference.suggest import suggest
from backend.inference.tagger import Tagging
from backend.registry import Registry, checked_uid
from backend.settings import Settings
from backend.store import Store
from backend.tables import LIVE, Project, Run, Version
from converters.document import Span

log = logging.getLogger(__name__)

UNTRAINED = "untrained"
"""What Label Studio is told as the model version of a project that has none yet."""


class Wake(Protocol):
    """The queue, as the loop sees it: it only wakes workers; what is to be done is in the database."""

    def training(self) -> None: ...

    def refresh(self, uid: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """Taggings of some texts, in order, all made by one version."""

    version: str
    taggings: list[Tagging]


class Loop:
    """pre-annotate → correct → retrain → promote → pre-annotate better."""

    def __init__(self, settings: Settings, store: Store, registry: Registry, wake: Wake) -> None:
        self.settings = settings
        self.store = store
        self.registry = registry
        self.wake = wake

    # Projects and predictions

    def meet(self, uid: str, **known: Any) -> Project:
        """Remember a project and what is ``known`` of it: title, label_config, extra_params, access_token."""
        return self.store.remember_project(checked_uid(uid), **known)

    def predict(self, uid: str, texts: Sequence[str], *, version: str | None = None) -> Answer:
        """Tag texts with the project's current version, or with the one named.

        A project without a version gets empty taggings of score 0 from version ``untrained``.
        """
        name, parts = self.predict_parts(uid, texts, version=version)
        return Answer(name, [tagging for part in parts for tagging in part])

    def predict_parts(
        self, uid: str, texts: Sequence[str], *, version: str | None = None
    ) -> tuple[str, Iterator[list[Tagging]]]:
        """The same in parts, each as soon as it is there, and the name of the version that makes them all."""
        if version is not None:
            self.store.version(uid, version)
        else:
            version = self.store.current_version(uid)
        if version is None:
            return UNTRAINED, iter([[Tagging(spans=(), score=0.0) for _ in texts]])
        return version, self.registry.tagger(uid, version).tag_parts(texts)

    def suggest(self, uid: str, text: str, marked: Sequence[Span], *, version: str | None = None) -> Answer:
        """Answer an annotator who has just ``marked`` regions: the same words elsewhere, and the model's regions."""
        answer = self.predict(uid, [text], version=version)
        (tagging,) = answer.taggings
        return Answer(answer.version, [replace(tagging, spans=suggest(text, marked, tagging.spans))])

    # Labels arrive

    def annotations_saved(self, uid: str, owners: Mapping[int, int]) -> None:
        """Annotations were submitted, updated or skipped: ``{annotation id: task id}``."""
        self.store.remember_annotations(uid, owners)
        self.tasks_changed(uid, [str(task) for task in owners.values()])

    def annotations_deleted(self, uid: str, annotations: Sequence[int]) -> None:
        tasks = self.store.forget_annotations(uid, annotations)
        self.tasks_changed(uid, [str(tasks.get(each, f"annotation-{each}")) for each in annotations])

    def tasks_created(self, uid: str, *, labelled: Sequence[int], unlabelled: Sequence[int]) -> None:
        """Tasks were imported, some perhaps with annotations."""
        if labelled:
            self.tasks_changed(uid, [str(task) for task in labelled])
        if unlabelled and self.store.project(uid).current_version:
            self._want_refresh(uid)

    def tasks_deleted(self, uid: str, tasks: Sequence[int]) -> None:
        gone = set(tasks)
        owned = {key: task for key, task in self.store.annotations(uid).items() if task in gone}
        if owned:
            self.store.forget_annotations(uid, list(owned))
            self.tasks_changed(uid, [str(task) for task in owned.values()])

    def tasks_changed(self, uid: str, tasks: Iterable[str]) -> None:
        """Count tasks whose annotations changed, each once until a snapshot has taken it in."""
        self.store.record_changes(uid, tasks)
        self.train_if_due(uid)

    def train_if_due(self, uid: str) -> None:
        """Queue a run when enough tasks have changed; those that change during a run wait for its end."""
        threshold = self.settings.start_training_each_n_updates
        if not threshold or self.store.runs(project=uid, states=LIVE, limit=1):
            return
        changed = self.store.count_changes(uid)
        if changed >= threshold:
            self.train(uid, reason=f"{changed} changed tasks")

    # Training

    def train(self, uid: str, *, reason: str) -> Run:
        """Queue a training run, or return the one that waits already."""
        self.store.project(uid)
        run, new = self.store.queue_run(uid, reason)
        if new:
            log.info("run %s of project %s queued: %s", run.id, uid, reason)
        self.wake.training()
        return run

    def run(self, run_id: str) -> Run:
        return self.store.run(run_id)

    def runs(self, uid: str | None = None) -> list[Run]:
        return self.store.runs(project=uid)

    # Versions

    def versions(self, uid: str | None = None) -> list[Version]:
        """A project's versions, or every project's, newest first."""
        uids = [uid] if uid else [project.uid for project in self.store.projects()]
        for each in uids:
            self.store.project(each)
        return [version for each in uids for version in self.store.versions(each)]

    def promote(self, uid: str, name: str, *, verdict: str = "promoted by hand") -> Version:
        """Serve a version from the next request on, and bring its predictions to Label Studio."""
        self.store.project(uid)
        version = self.registry.promote(uid, name, verdict=verdict)
        self._want_refresh(uid)
        return version

    def _want_refresh(self, uid: str) -> None:
        self.store.want_refresh(uid)
        self.wake.refresh(uid)
