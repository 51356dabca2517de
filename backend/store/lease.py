"""Who brings a project's predictions to Label Studio: one process at a time, and a dead one does not block the next."""

from __future__ import annotations

import logging
import secrets
import threading
from types import TracebackType

from sqlalchemy.exc import SQLAlchemyError

from backend.store import Store

log = logging.getLogger(__name__)

HOLD_SECONDS = 60.0
"""How long a turn outlives its process: longer than Label Studio takes for an import that was cut off."""

RENEW_SECONDS = 10.0


class Turn:
    """The right to change a project's predictions in Label Studio; kept alive by a thread from `take` to the end."""

    def __init__(self, store: Store, uid: str) -> None:
        self._store = store
        self._uid = uid
        self._holder = secrets.token_hex(8)
        self._lost = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Turn:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._thread:
            self._thread.join()
            self._hold(0)

    def take(self) -> bool:
        """Take the turn, if nobody else has it."""
        if not self._hold(HOLD_SECONDS):
            return False
        self._thread = threading.Thread(target=self._keep, name="turn", daemon=True)
        self._thread.start()
        return True

    def held(self) -> bool:
        """Whether it still is this process's; asked before each import."""
        self._lost = self._lost or not self._hold(HOLD_SECONDS)
        return not self._lost

    def _keep(self) -> None:
        while not self._ended.wait(RENEW_SECONDS):
            try:
                self._lost = self._lost or not self._hold(HOLD_SECONDS)
            except SQLAlchemyError as error:  # the next time may succeed before the turn has lapsed
                log.warning("project %s: the turn is not renewed: %s", self._uid, error)

    def _hold(self, seconds: float) -> bool:
        return self._store.refreshes.hold(self._uid, seconds=seconds, holder=self._holder)
