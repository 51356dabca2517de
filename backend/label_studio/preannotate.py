"""Pre-annotates a whole project with its current version, for the worker and for the command line."""

from __future__ import annotations

from backend.label_studio.api import PredictionStore
from backend.label_studio.identity import same_project
from backend.label_studio.sync import OnProgress, SyncResult, sync_predictions
from backend.registry import Registry
from backend.store import Store
from backend.store.lease import Lease
from converters import LoadText
from label_config import LabelConfig


def preannotate_project(
    store: Store,
    registry: Registry,
    label_studio: PredictionStore,
    uid: str,
    lease: Lease,
    *,
    load: LoadText | None = None,
    on_progress: OnProgress = lambda _: None,
) -> SyncResult | None:
    """Give every unlabelled task a prediction of the current version; ``None`` where the project has none.

    The caller has acquired the ``lease``; ``load`` reads texts of which the tasks hold the address. The result is not
    complete when another version was promoted or the lease was lost meanwhile. Raises `ProjectReplaced`.
    """
    request = store.syncs.pending(uid)
    version = store.projects.get(uid).current_version
    result = _sync(store, registry, label_studio, uid, version, lease, load, on_progress) if version else None
    if result is not None:
        store.syncs.note_unread(uid, result.unread)
    if request is not None and (result is None or result.complete):
        store.syncs.complete(uid, request)
    return result


def _sync(
    store: Store,
    registry: Registry,
    label_studio: PredictionStore,
    uid: str,
    version: str,
    lease: Lease,
    load: LoadText | None,
    on_progress: OnProgress,
) -> SyncResult:
    project = same_project(label_studio, uid)

    def is_current() -> bool:
        return store.projects.current_version(uid) == version and lease.renew()

    return sync_predictions(
        label_studio,
        project.id,
        version=version,
        tagger=registry.tagger(uid, version),
        config=LabelConfig.from_xml(project.label_config).with_renamed(store.projects.get(uid).renamed_labels),
        load=load,
        keep_going=is_current,
        on_progress=on_progress,
    )
