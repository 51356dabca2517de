"""Model versions: a folder on disk and a row each; publish, promote, open."""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections import OrderedDict
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.errors import InvalidRequest, ModelError
from backend.inference.session import Device
from backend.inference.tagger import Precision, Tagger
from backend.store import Store
from backend.tables import Version

_PROJECT_UID = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_VERSION_NAME = re.compile(r"ner-v[1-9][0-9]{0,8}")


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

    @contextmanager
    def staging(self, run_id: str) -> Iterator[Path]:
        """An empty folder on the same file system, removed afterwards unless it was published."""
        folder = self.model_dir / ".staging" / run_id
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def next_name(self, uid: str) -> str:
        """The name of the next version; a folder left without a row by a crash is never reused."""
        number = self._store.next_version_number(uid)
        while self.folder(uid, f"ner-v{number}").exists():
            number += 1
        return f"ner-v{number}"

    def publish(
        self, uid: str, name: str, staged: Path, *, run: str, labels: tuple[str, ...], metrics: dict[str, Any]
    ) -> Version:
        """Move a complete folder into place and make it a version (not yet the current one)."""
        target = self.folder(uid, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        _flush(staged)
        staged.rename(target)
        _flush_folder(target.parent)
        number = int(name.removeprefix("ner-v"))
        return self._store.add_version(
            Version(project=uid, number=number, name=name, run=run, labels=list(labels), metrics=metrics)
        )

    def promote(self, uid: str, name: str, *, verdict: str) -> Version:
        """Make a version the one every process answers with from its next request on."""
        version = self._store.version(uid, name)
        if not self.folder(uid, name).is_dir():
            raise ModelError(f"The files of version {name!r} are gone from {self.model_dir}: train a new version.")
        self._store.set_current_version(uid, name, verdict=verdict)
        return version

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


def _checked(value: str, form: re.Pattern[str], what: str) -> str:
    if not form.fullmatch(value):
        raise InvalidRequest(f"{value[:60]!r} is not a {what} name; it must look like {form.pattern!r}.")
    return value


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
