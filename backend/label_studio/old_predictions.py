"""Deletes the predictions of versions that serve no more, so that a project's store does not grow with each version.

Nothing is remembered here: what is left is listed from Label Studio, so a deletion that was stopped goes on with the
next call.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.label_studio.api import PredictionStore
from backend.label_studio.identity import same_project
from backend.registry import UNTRAINED
from backend.store import Store

log = logging.getLogger(__name__)

AT_ONCE = 500
"""Predictions that one request deletes.

Label Studio 1.23.2 deletes them in one transaction, 4 to 7 ms each, and on SQLite an annotator's submission fails when
it waits for more than 5 s: 20,000 took 144 s. One at a time they take 64 ms each, and submissions pass in between.
"""


def outdated_versions(store: Store, uid: str) -> list[str]:
    """The versions whose predictions are of no use: neither the current one nor pinned; the oldest first.

    Before the first version nothing is outdated; with it, the empty predictions of ``untrained`` are.
    """
    current = store.projects.current_version(uid)
    if current is None:
        return []
    versions = reversed(store.versions.of(uid))
    return [UNTRAINED, *(version.name for version in versions if version.name != current and not version.pinned)]


def delete_old_predictions(
    store: Store, label_studio: PredictionStore, uid: str, *, keep_going: Callable[[], bool]
) -> bool:
    """Delete the predictions of a project's outdated versions; ``False`` when ``keep_going`` stopped it.

    Those of the version that Label Studio shows stay, and so do all of other names: other ML backends', label issues.
    ``keep_going`` is called before each request. The caller holds the project's sync lease.
    """
    project_id = same_project(label_studio, uid).id
    stored = label_studio.count_by_version(project_id)
    for version in outdated_versions(store, uid):
        if number := stored.get(version):
            if not _delete(store, label_studio, uid, version, number, keep_going):
                return False
            log.info("project %s: the %s predictions of %s are deleted from Label Studio", uid, number, version)
    return True


def _delete(
    store: Store, label_studio: PredictionStore, uid: str, version: str, number: int, keep_going: Callable[[], bool]
) -> bool:
    project = same_project(label_studio, uid)
    if project.model_version == version:
        return True
    # Label Studio forgets which version it shows, together with the deleted one, where that is an ML backend's title.
    shows_ours = project.model_version in {row.name for row in store.versions.of(uid)}
    pages = label_studio.prediction_ids(project.id, version) if number > AT_ONCE or not shows_ours else iter(())
    left = number
    for page in pages:
        if left <= AT_ONCE and shows_ours:
            break
        if version not in outdated_versions(store, uid):  # it was pinned or promoted meanwhile
            return True
        if not _delete_each(label_studio, page, keep_going):
            return False
        left -= len(page)
    if not shows_ours:
        return True
    return keep_going() and _delete_at_once(label_studio, project.id, version, keep_going)


def _delete_each(label_studio: PredictionStore, ids: Collection[int], keep_going: Callable[[], bool]) -> bool:
    for prediction in ids:
        if not keep_going():
            return False
        label_studio.delete_prediction(prediction)
    return True


def _delete_at_once(
    label_studio: PredictionStore, project_id: int, version: str, keep_going: Callable[[], bool]
) -> bool:
    """Delete what is left of a version; one at a time where Label Studio cannot: before 1.12, or while others write."""
    try:
        label_studio.delete_predictions(project_id, version)
    except (LabelStudioRefused, LabelStudioUnreachable):
        raise
    except LabelStudioError:
        pages = label_studio.prediction_ids(project_id, version)
        return all(_delete_each(label_studio, page, keep_going) for page in pages)
    return True
