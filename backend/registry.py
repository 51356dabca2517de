"""Model versions: publish, promote, open. Each is a folder on disk and a row in the database."""

from __future__ import annotations

import logging
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from backend.errors import BackendError, Conflict, InvalidRequest, ModelError, VersionPruned
from backend.evaluation.gate import GateDecision
from backend.inference.phrases import PhraseTaggers
from backend.inference.session import Device
from backend.inference.tagger import Precision, Tagger
from backend.inference.tasks import TextTagger, UntrainedTagger
from backend.store import Store
from backend.store.models import Version
from backend.store.phrases import PHRASES
from backend.store.projects import UNTRAINED as UNTRAINED

log = logging.getLogger(__name__)

_PROJECT_UID = re.compile(r"[0-9]{1,18}(\.[0-9]{1,18})?")
_VERSION_NAME = re.compile(r"ner-v[1-9][0-9]{0,8}")

_LOG_BYTES = 64 * 1024

_IMPORT_SECONDS = 86_400.0
"""The folder of an import that is older was left by a crash."""


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
        self._phrases = PhraseTaggers(store)
        self._guard = threading.Lock()
        self._opening: dict[tuple[str, str], Future[Tagger]] = {}

    def folder(self, uid: str, name: str) -> Path:
        """Where a version's files are; `InvalidRequest` unless both parts have their strict form."""
        return self.model_dir / checked_uid(uid) / _checked(name, _VERSION_NAME, "version")

    def log_file(self, uid: str, run_id: str) -> Path:
        """The file that a run's output is appended to."""
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
        """An empty folder on the same file system as the versions; it is removed at the end.

        Each attempt of a run has a folder of its own: a process that was taken for dead cannot write into another's.
        """
        own = self._staging / _staged(run_id, attempt)
        folder = own / "version"
        shutil.rmtree(own, ignore_errors=True)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            shutil.rmtree(own, ignore_errors=True)

    @contextmanager
    def importing(self) -> Iterator[Path]:
        """An empty folder for a version that no run makes, as `staging`; what crashes leave is removed a day later."""
        imports = self.model_dir / ".importing"
        imports.mkdir(parents=True, exist_ok=True)
        for left in imports.iterdir():
            if time.time() - left.stat().st_mtime > _IMPORT_SECONDS:
                _remove(left)
        with tempfile.TemporaryDirectory(dir=imports) as own:
            folder = Path(own) / "version"
            folder.mkdir()
            yield folder

    def clear_staging(self) -> None:
        """Remove what dead processes have left behind: all but the files of runs in progress, on any machine."""
        try:
            left = list(self._staging.iterdir())
        except FileNotFoundError:
            return
        # Read after the listing: a run's folder is created only after its row says that it is started.
        started = {_staged(run.id, run.attempt) for run in self._store.runs.started()}
        for folder in left:
            if folder.name not in started:
                log.info("removing %s: its process has ended", folder)
                _remove(folder)

    def next_name(self, uid: str) -> str:
        """The name of the next version; never that of a folder that a crash left without a row."""
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
        run: str | None,
        labels: tuple[str, ...],
        metrics: dict[str, Any],
        scored_in: str | None = None,
        decision: GateDecision | None = None,
        write_row: Callable[[Version], object] | None = None,
    ) -> Version:
        """Move a complete folder into place and make it a version (not yet the current one).

        ``run`` is ``None`` for an imported model. ``write_row`` writes the version's row where more is written in the
        same transaction; if it raises a `BackendError`, the folder is removed again.
        """
        target = self.folder(uid, name)
        target.parent.mkdir(parents=True, exist_ok=True)
        _flush(staged)
        staged.rename(target)
        _flush_folder(target.parent)
        number = int(name.removeprefix("ner-v"))
        version = Version(
            project=uid,
            number=number,
            name=name,
            run=run,
            labels=list(labels),
            metrics=metrics,
            scored_in=scored_in,
            decision=decision.to_row() if decision else None,
            promotions=[],
        )
        try:
            (write_row or self._store.versions.add)(version)
        except BackendError:
            self._discard(target)
            raise
        return version

    def promote(self, uid: str, name: str, *, actor: str) -> Version:
        """Make a version the one every process serves from its next request on; ``actor`` as in `Versions.promote`."""
        self._store.versions.usable(uid, name)
        if not self.folder(uid, name).is_dir():
            raise ModelError(f"The files of version {name!r} are gone from {self.model_dir}: train a new version.")
        return self._store.versions.promote(uid, name, actor=actor)

    def prune(self, uid: str, *, keep: int) -> list[str]:
        """Remove the files of all but the newest ``keep`` versions (0 keeps all); return the names of those removed.

        The current version and pinned ones keep their files. A process that has opened a version can go on using it.
        """
        removed: list[str] = []
        for version in self._store.versions.of(uid, usable=True)[keep:] if keep else []:
            with suppress(Conflict, VersionPruned):  # it serves or is pinned, or another worker has removed it
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
        """Remove a folder in one step for those who look: it is renamed first."""
        discarded = self._staging / f"{folder.parent.name}-{folder.name}-{secrets.token_hex(4)}"
        discarded.parent.mkdir(parents=True, exist_ok=True)
        try:
            folder.rename(discarded)
        except FileNotFoundError:
            return
        except OSError as error:  # the version is not usable any more, even if its files stay
            log.warning("%s cannot be removed: %s", folder, error)
            return
        _remove(discarded)

    def open(self, uid: str, name: str) -> Tagger:
        """Open a version's folder as this deployment serves it; `ModelError` where a file is missing or damaged."""
        return Tagger.load(self.folder(uid, name), device=self._device, precision=self._precision)

    def tagger(self, uid: str, name: str) -> Tagger:
        """The opened version, from the cache or opened now; beyond the cache size the least recently used is closed."""
        key = (uid, name)
        with self._guard:
            if key in self._taggers:
                self._taggers.move_to_end(key)
                return self._taggers[key]
            opened_elsewhere = self._opening.get(key)
            opening = self._opening.setdefault(key, Future())
        if opened_elsewhere:  # one thread opens a version; threads that need the same version wait for it
            return opened_elsewhere.result()
        try:
            tagger = self.open(uid, name)
        except BaseException as error:
            self._finish_opening(key, None)
            opening.set_exception(error)
            raise
        self._finish_opening(key, tagger)
        opening.set_result(tagger)
        return tagger

    def text_tagger(self, uid: str, serving: str) -> TextTagger:
        """The tagger of what serves (`Projects.serving`)."""
        if serving == UNTRAINED:
            return UntrainedTagger()
        return self._phrases.get(uid) if serving == PHRASES else self.tagger(uid, serving)

    def _finish_opening(self, key: tuple[str, str], tagger: Tagger | None) -> None:
        with self._guard:
            del self._opening[key]
            if tagger is not None:
                self._taggers[key] = tagger
            while len(self._taggers) > self._cache:
                self._taggers.popitem(last=False)


def checked_uid(uid: str) -> str:
    """The uid, if it has Label Studio's form; `InvalidRequest` otherwise. Only checked uids become part of a path."""
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
