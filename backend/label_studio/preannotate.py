"""Pre-annotates a whole project with what serves it, for the worker and for the command line."""

from __future__ import annotations

from backend.label_studio.api import PredictionStore
from backend.label_studio.identity import same_project
from backend.label_studio.rewrite import rewrite_predictions
from backend.label_studio.sync import OnProgress, SyncResult, sync_predictions
from backend.registry import UNTRAINED, Registry
from backend.store import Store
from backend.store.lease import Lease
from backend.store.phrases import PHRASES
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
    """Give every unlabelled task a prediction of the current version, or of phrases until there is one.

    ``None`` where the project has neither. The caller has acquired the ``lease``; ``load`` reads texts of which the
    tasks hold the address. The result is not complete when another version was promoted or the lease was lost
    meanwhile. Raises `ProjectReplaced`.
    """
    request = store.syncs.pending(uid)
    serving = store.projects.serving(uid)
    number = store.phrases.number(uid)
    result = None
    if serving != UNTRAINED:
        result = _sync(store, registry, label_studio, uid, serving, lease, load, on_progress)
        store.syncs.note_unread(uid, result.unread)
    if serving == PHRASES and result and result.complete:
        store.phrases.end_sync(uid, number)
    if request is not None and (result is None or result.complete):
        store.syncs.complete(uid, request)
    return result


def _sync(
    store: Store,
    registry: Registry,
    label_studio: PredictionStore,
    uid: str,
    serving: str,
    lease: Lease,
    load: LoadText | None,
    on_progress: OnProgress,
) -> SyncResult:
    project = same_project(label_studio, uid)
    tagger = registry.text_tagger(uid, serving)
    config = LabelConfig.from_xml(project.label_config).with_renamed(store.projects.get(uid).renamed_labels)

    def is_current() -> bool:
        return store.projects.serving(uid) == serving and lease.renew()

    rewritten: int | None = 0
    if serving == PHRASES and not store.phrases.are_synced(uid):
        rewritten = rewrite_predictions(
            label_studio, project.id, version=serving, tagger=tagger, config=config, load=load, keep_going=is_current
        )
    result = sync_predictions(
        label_studio,
        project.id,
        version=serving,
        tagger=tagger,
        config=config,
        load=load,
        keep_going=is_current,
        on_progress=on_progress,
    )
    result.complete = result.complete and rewritten is not None
    return result
