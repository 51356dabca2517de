"""Model versions: a folder on disk and a row each; publish, promote, open."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from backend.errors import BackendError, Conflict, InvalidRequest, ModelError, VersionPruned
from backend.inference.session import Device
from backend.inference.tagger import Precision, Tagger
from backend.store import Store
from backend.store.models import Version

log = logging.getLogger(__name__)

_PROJECT_UID = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_VERSION_NAME = re.compile(r"ner-v[1-9][0-9]{0,8}")

_LOG_BYTES = 64 * 1024


class Registry:
    """The versions below one ``MODEL_DIR``; safe to share between threads.

    A version is visible only once its row exists, and the row is written after its folder is complete and in place.
    """

    def __init__(
        self,
        model_dir: Path,
        store: Store,
        *,
        cache: int = 4,
        device: Device = "auto",
        precision: Precision = "auto",
    ) -> None:
        self.model_dir = model_dir
        self._staging = model_dir / ".staging"
        self._store = store
        self._device: Device = device
        self._precision: Precision = precision
        self._cache = cache
        self._taggers: OrderedDict[tuple[str, str], Tagger] = OrderedDict()
        self._guard = threading.Lock()
        self._opening: dict[tuple[str, str], Future[Tagger]] = {}

    def folder(self, uid: str, name: str) -> Path:
        """Where a version's files are; `InvalidRequest` unless both parts have their strict form."""
        return self.model_dir / checked_uid(uid) / _checked(name, _VERSION_NAME, "version")

    def log_file(self, uid: str, run_id: str) -> Path:
        """Where a run's output goes."""
        folder = self.model_dir / checked_uid(uid) / "runs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{run_id}.log"

    def read_log(self, uid: str, run_id: str, *, lines: int) -> str:
        """The last lines of a run's output, at most 64 KiB; empty where there is none yet."""
        try:
            with (self.model_dir / checked_uid(uid) / "runs" / f"{run_id}.log").open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                stream.seek(max(0, size - _LOG_BYTES))
                text = stream.read(_LOG_BYTES).decode("utf-8", errors="replace")
        except FileNotFoundError:
            return ""
        complete = text.splitlines()[1 if size > _LOG_BYTES else 0 :]
        return "\n".join(complete[-lines:] if lines > 0 else [])

    @contextmanager
    def staging(self, run_id: str, *, attempt: int = 1) -> Iterator[Path]:
        """An empty folder on the same file system; what is in or beside it afterwards is removed.

        Another attempt of the same run has another one: a process that was taken for dead cannot write into it.
        """
        own = self._staging / _staged(run_id, attempt)
        folder = own / "version"
        shutil.rmtree(own, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(own, ignore_errors=True)

    def clear_staging(self) -> None:
        """Remove what dead processes have left behind: all but the files of runs that are going on some machine."""
        try:
            left = list(self._staging.iterdir())
        except FileNotFoundError:
            return
        # Asked for after the listing: a run has its folder only once its row says that it is going.
        going = {_staged(run.id, run.attempt) for run in self._store.runs.started()}
        for folder in left:
            if folder.name not in going:
                log.info("%s is removed: its process has ended", folder)
                _remove(folder)

    def next_name(self, uid: str) -> str:
        """The name of the next version; a folder left without a row by a crash is never reused."""
        number = self._store.versions.next_number(uid)
        while self.folder(uid, f"ner-v{number}").exists():
            number += 1
        return f"ner-v{number}"

    def publish(
        self,
        uid: str,
        name: str,
        staged: Path,
        *,
        run: str,
        labels: tuple[str, ...],
        metrics: dict[str, Any],
        verdict: str = "",
        enter: Callable[[Version], object] | None = None,
    ) -> Version:
        """Move a complete folder into place and make it a version (not yet the current one).

        ``enter`` takes the place of writing its row where more is to be written with it; if it raises a
        `BackendError`, the folder goes again.
        """
        target = self.folder(uid, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        _flush(staged)
        staged.rename(target)
        _flush_folder(target.parent)
        number = int(name.removeprefix("ner-v"))
        version = Version(
            project=uid, number=number, name=name, run=run, labels=list(labels), metrics=metrics, verdict=verdict
        )
        try:
            (enter or self._store.versions.add)(version)
        except BackendError:
            self._discard(target)
            raise
        return version

    def promote(self, uid: str, name: str, *, verdict: str) -> Version:
        """Make a version the one every process answers with from its next request on."""
        self._store.versions.usable(uid, name)
        if not self.folder(uid, name).is_dir():
            raise ModelError(f"The files of version {name!r} are gone from {self.model_dir}: train a new version.")
        return self._store.versions.promote(uid, name, verdict=verdict)

    def prune(self, uid: str, *, keep: int) -> list[str]:
        """Remove the files of all but the newest ``keep`` versions; of none where that is 0. Return their names.

        The files of the current version and of pinned ones stay. A process that has a version open can go on with it.
        """
        removed: list[str] = []
        for version in self._store.versions.of(uid, usable=True)[keep:] if keep else []:
            with suppress(Conflict, VersionPruned):  # it serves or is pinned, or another worker has done it
                self.remove(uid, version.name)
                removed.append(version.name)
        for version in self._store.versions.of(uid):
            if version.pruned_at and self.folder(uid, version.name).exists():  # left by a crash
                self._discard(self.folder(uid, version.name))
        return removed

    def remove(self, uid: str, name: str) -> None:
        """Remove a version's files, its row stays; `Conflict` where it serves or is pinned."""
        self._store.versions.prune(uid, name)
        self._discard(self.folder(uid, name))

    def _discard(self, folder: Path) -> None:
        """Remove a folder so that nobody finds half of it."""
        gone = self._staging / f"{folder.parent.name}-{folder.name}-{secrets.token_hex(4)}"
        gone.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(gone)
        except FileNotFoundError:
            return
        except OSError as error:  # the version is none any more, whatever becomes of its files
            log.warning("%s cannot be removed: %s", folder, error)
            return
        _remove(gone)

    def open(self, uid: str, name: str) -> Tagger:
        """Open a version's folder as this deployment serves it; `ModelError` where a file is missing or damaged."""
        return Tagger.load(self.folder(uid, name), device=self._device, precision=self._precision)

    def tagger(self, uid: str, name: str) -> Tagger:
        """Open a version, or return it opened; the least recently used beyond the cache size is closed."""
        key = (uid, name)
        with self._guard:
            if key in self._taggers:
                self._taggers.move_to_end(key)
                return self._taggers[key]
            awaited = self._opening.get(key)
            opening = self._opening.setdefault(key, Future())
        if awaited:  # one thread opens it; those who came for the same version wait, all others go on
            return awaited.result()
        try:
            tagger = self.open(uid, name)
        except BaseException as error:
            self._opened(key, None)
            opening.set_exception(error)
            raise
        self._opened(key, tagger)
        opening.set_result(tagger)
        return tagger

    def _opened(self, key: tuple[str, str], tagger: Tagger | None) -> None:
        with self._guard:
            del self._opening[key]
            if tagger is not None:
                self._taggers[key] = tagger
            while len(self._taggers) > self._cache:
                self._taggers.popitem(last=False)


def checked_uid(uid: str) -> str:
    """The uid itself, if it has Label Studio's form; it becomes part of a path only then."""
    return _checked(uid, _PROJECT_UID, "project")


def _staged(run_id: str, attempt: int) -> str:
    return f"{run_id}-{attempt}"


def _checked(value: str, form: re.Pattern[str], what: str) -> str:
    if not form.fullmatch(value):
        raise InvalidRequest(f"{value[:60]!r} is not a {what} name; it must look like {form.pattern!r}.")
    return value


def _remove(path: Path) -> None:
    if path.is_symlink():
        path.unlink(missing_ok=True)
    else:
        shutil.rmtree(path, ignore_errors=True)


def _flush(folder: Path) -> None:
    """Force every file below a folder, and the folders themselves, to disk."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
        else:
            _flush_folder(path)
    _flush_folder(folder)


def _flush_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
