"""Deletes the predictions of versions that serve no more, so that a project's store does not grow with each version.

Nothing is remembered here: what is left is listed from Label Studio, so a deletion that was stopped goes on with the
next call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from functools import partial

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.label_studio.api import PredictionStore
from backend.label_studio.identity import same_project
from backend.label_studio.label_issues_tab import VERSION as LABEL_ISSUES
from backend.registry import UNTRAINED
from backend.store import Store
from backend.store.phrases import PHRASES

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Predictions that one request deletes.

Label Studio 1.23.2 deletes them in one transaction, 4 to 7 ms each, and on SQLite an annotator's submission fails when
it waits for more than 5 s: 20,000 took 144 s. One at a time they take 64 ms each, and submissions pass in between.
"""


def outdated_versions(store: Store, uid: str) -> list[str]:
    """The versions whose predictions are of no use: neither the current one nor pinned; the oldest first.

    Before the first version nothing is outdated; with it, the predictions of ``untrained`` and ``phrases`` are.
    """
    current = store.projects.current_version(uid)
    if current is None:
        return []
    versions = reversed(store.versions.of(uid))
    return [
        UNTRAINED,
        PHRASES,
        *(version.name for version in versions if version.name != current and not version.pinned),
    ]


def delete_old_predictions(
    store: Store, label_studio: PredictionStore, uid: str, *, keep_going: Callable[[], bool]
) -> bool:
    """Delete the predictions of a project's outdated versions; ``False`` when ``keep_going`` stopped it.

    Those of the version that Label Studio shows stay, and so do all of other names: other ML backends', label issues.
    Tasks with label issues keep all, since a deletion changes the task, which takes it off the tab of label issues.
    ``keep_going`` is called before each request. The caller holds the project's sync lease.
    """
    for delete in _deletions(store, label_studio, uid):
        if not keep_going():
            return False
        delete()
    return True


def _deletions(store: Store, label_studio: PredictionStore, uid: str) -> Iterator[Callable[[], object]]:
    """The requests to send, one after the other."""
    stored = label_studio.count_by_version(same_project(label_studio, uid).id)
    for version in outdated_versions(store, uid):
        if version in stored:
            at_once = 0 if LABEL_ISSUES in stored else AT_ONCE
            yield from _deletions_of(store, label_studio, uid, version, stored[version], at_once)


def _deletions_of(
    store: Store, label_studio: PredictionStore, uid: str, version: str, number: int, at_once: int
) -> Iterator[Callable[[], object]]:
    project = same_project(label_studio, uid)
    if project.model_version == version:
        return
    if project.model_version not in {row.name for row in store.versions.of(uid)}:
        at_once = 0  # in place of an ML backend's title, Label Studio would show no version afterwards
    pages = label_studio.prediction_ids(project.id, version, without=LABEL_ISSUES) if number > at_once else iter(())
    for page in pages:
        if number <= at_once or version not in outdated_versions(store, uid):  # it may be pinned meanwhile
            break
        yield from (partial(label_studio.delete_prediction, prediction) for prediction in page)
        number -= len(page)
    if at_once and version in outdated_versions(store, uid):
        refusals: list[LabelStudioError] = []
        yield partial(_delete_at_once, label_studio, project.id, version, refusals)
        pages = label_studio.prediction_ids(project.id, version, without=LABEL_ISSUES) if refusals else iter(())
        yield from (partial(label_studio.delete_prediction, prediction) for page in pages for prediction in page)


def _delete_at_once(
    label_studio: PredictionStore, project_id: int, version: str, refusals: list[LabelStudioError]
) -> None:
    """Delete all of a version; note where Label Studio cannot: before 1.12, or because others write to SQLite."""
    try:
        label_studio.delete_predictions(project_id, version)
    except (LabelStudioRefused, LabelStudioUnreachable):
        raise
    except LabelStudioError as error:
        log.info("project %s: the predictions of %s are deleted one at a time: %s", project_id, version, error)
        refusals.append(error)
