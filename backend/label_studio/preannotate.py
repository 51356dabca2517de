"""Brings a project's predictions in Label Studio up to date, for the worker and for the command line."""

from __future__ import annotations

from backend.errors import NotFound
from backend.label_studio.client import LabelStudio
from backend.label_studio.sync import SyncResult, Watch, refresh
from backend.loop import Loop
from backend.store.lease import Turn
from label_config import LabelConfig


def bring_up_to_date(
    loop: Loop,
    label_studio: LabelStudio,
    uid: str,
    turn: Turn,
    *,
    watch: Watch = lambda _: None,
) -> SyncResult | None:
    """Give every unlabelled task a prediction of the current version; ``None`` where the project has none.

    The caller has taken the ``turn``. It is not complete when another version is promoted or the turn lost meanwhile.
    """
    request = loop.store.refreshes.due(uid)
    version = loop.store.projects.get(uid).current_version
    done = _refresh(loop, label_studio, uid, version, turn, watch) if version else None
    if request is not None and (done is None or done.complete):
        loop.store.refreshes.served(uid, request)
    return done


def _refresh(loop: Loop, label_studio: LabelStudio, uid: str, version: str, turn: Turn, watch: Watch) -> SyncResult:
    project = loop.store.projects.get(uid)
    remote = label_studio.project(project.id)
    if remote.uid != uid:
        raise NotFound(
            f"Project {project.id} of Label Studio is another one than this model learned from (it was created anew): "
            f"connect it with `python -m backend connect --project {project.id}`."
        )

    def still_wanted() -> bool:
        return loop.store.projects.current_version(uid) == version and turn.held()

    return refresh(
        label_studio,
        project.id,
        version=version,
        tagger=loop.registry.tagger(uid, version),
        config=LabelConfig.from_xml(remote.label_config),
        keep_going=still_wanted,
        watch=watch,
    )
