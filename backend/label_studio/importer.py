"""Imports a version's predictions into Label Studio, so that none is stored twice and none is lost unnoticed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioRejected, LabelStudioUnreachable
from backend.label_studio.api import Prediction, PredictionStore

log = logging.getLogger(__name__)

BATCH_REGIONS = 20_000
"""Regions of one import, about 5 MB of JSON: a long document has hundreds."""

MAX_REFUSED = 20
"""Refused predictions, while none was stored, after which an importer gives up."""

RECOVERY_SECONDS = 180.0
"""How long an importer waits for an import whose answer was lost: Label Studio may still be storing it."""

_POLL_SECONDS = 5.0


class Importer:
    """Imports batches of predictions of one version and counts what became of them.

    ``stored`` predictions are in Label Studio; ``refused`` are the tasks for which it kept none.
    """

    def __init__(self, label_studio: PredictionStore, project_id: int, version: str) -> None:
        self._label_studio = label_studio
        self._project_id = project_id
        self._version = version
        self.stored = 0
        self.refused: list[int] = []

    def store(self, batch: Sequence[Prediction]) -> None:
        """Import a batch. Where Label Studio rejects all of it because of some tasks, only these are refused.

        Raises `LabelStudioRefused` and `LabelStudioUnreachable` at once, and other errors of Label Studio when
        `MAX_REFUSED` predictions were refused and none was stored.
        """
        try:
            created = self._label_studio.import_predictions(self._project_id, batch)
        except LabelStudioRefused:  # the access token; the same for every task
            raise
        except LabelStudioRejected as error:
            self._retry(batch, self._missing(batch), error)
        except LabelStudioError as error:
            self._recover(batch, error)
        else:
            missing = self._missing(batch) if created < len(batch) else []
            self.stored += len(batch) - len(missing)
            self._refuse(missing, "Label Studio skipped it")

    def _recover(self, batch: Sequence[Prediction], error: LabelStudioError) -> None:
        """Find out what became of an import that ended without a usable answer, and import what is missing."""
        log.warning("project %s: an import failed, its predictions are looked for: %s", self._project_id, error)
        unanswered = isinstance(error, LabelStudioUnreachable)
        deadline = time.monotonic() + (RECOVERY_SECONDS if unanswered else 0.0)
        while True:
            try:
                missing = self._missing(batch)
            except LabelStudioUnreachable as unreachable:
                missing, error, unanswered = list(batch), unreachable, True
            if not missing or time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
        if unanswered and missing:
            raise error
        self.stored += len(batch) - len(missing)
        self._retry(batch, missing, error)

    def _retry(self, batch: Sequence[Prediction], missing: Sequence[Prediction], error: LabelStudioError) -> None:
        """Import again what is missing of a batch: as a whole if other tasks caused the error, else in halves."""
        if len(missing) < len(batch):
            parts = [missing] if missing else []
        elif len(batch) == 1:
            self._refuse(batch, str(error))
            if len(self.refused) >= MAX_REFUSED and not self.stored:
                raise error
            return
        else:
            half = len(batch) // 2
            parts = [batch[:half], batch[half:]]
        for part in parts:
            self.store(part)

    def _missing(self, batch: Sequence[Prediction]) -> list[Prediction]:
        """Predictions whose tasks are still unlabelled and have none of the version."""
        tasks = [prediction.task for prediction in batch]
        pages = self._label_studio.unlabelled_pages(self._project_id, first=min(tasks), last=max(tasks))
        missing = {task.id for page in pages for task in page.tasks if self._version not in task.predicted_by}
        return [prediction for prediction in batch if prediction.task in missing]

    def _refuse(self, predictions: Sequence[Prediction], reason: str) -> None:
        for prediction in predictions:
            log.warning("task %s: prediction refused: %s", prediction.task, reason)
            self.refused.append(prediction.task)


def split_by_regions(predictions: Sequence[Prediction]) -> Iterator[list[Prediction]]:
    """Split predictions into batches of at most `BATCH_REGIONS` regions."""
    batch: list[Prediction] = []
    number = 0
    for prediction in predictions:
        if batch and number + len(prediction.regions) > BATCH_REGIONS:
            yield batch
            batch, number = [], 0
        batch.append(prediction)
        number += len(prediction.regions)
    if batch:
        yield batch


class BackgroundTask:
    """One function at a time on another thread; `wait` raises the function's error."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, function: Callable[[], object]) -> None:
        def run() -> None:
            try:
                function()
            except BaseException as error:
                self._error = error

        # A daemon: a worker that is told to end does not wait for Label Studio.
        self._thread = threading.Thread(target=run, name="import", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        if self._thread:
            self._thread.join()
        error, self._error = self._error, None
        if error:
            raise error
