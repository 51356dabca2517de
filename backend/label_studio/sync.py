"""Brings a version's predictions into Label Studio, so that pre-labels and task order come from it.

What Label Studio holds is the truth: tasks that lack a prediction of the version are asked for page by page, predicted
and imported, and asked for again until none is left. So it goes on where it was killed, and a prediction whose import
was cut off is not sent again unless it is missing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioRejected, LabelStudioUnreachable
from backend.inference.tagger import Tagger
from backend.label_studio.api import OpenTask, Page, Prediction
from backend.label_studio.client import LabelStudio
from converters import regions, task_text
from label_config import LabelConfig

log = logging.getLogger(__name__)

BATCH = 2000
"""Predictions of one import: Label Studio spends a second and more on each, however small, and 1 ms on each of them."""

BATCH_REGIONS = 20_000
"""Regions of one import, some 5 MB of JSON: long documents have hundreds."""

HOPELESS = 20
"""Refusals, and nothing stored, after which a refresh gives up."""

SETTLE_SECONDS = 180.0
_LOOK_SECONDS = 5.0
"""How long, and how often, an import whose answer was lost is looked for."""


@dataclass(slots=True)
class Seconds:
    """Where the time went. Predicting and importing go on side by side, so the parts are more than the ``total``."""

    reading: float = 0.0
    predicting: float = 0.0
    importing: float = 0.0
    counting: float = 0.0
    total: float = 0.0


@dataclass(slots=True)
class SyncResult:
    """What a refresh found and did.

    Of the ``unlabelled`` tasks, ``present`` had a prediction already; of those that were ``predicted``, ``stored`` are
    in Label Studio and ``refused`` are those for which it kept none. It is ``complete`` unless it was told to stop.
    """

    unlabelled: int = 0
    present: int = 0
    predicted: int = 0
    stored: int = 0
    refused: list[int] = field(default_factory=list)
    complete: bool = False
    seconds: Seconds = field(default_factory=Seconds)

    @property
    def done(self) -> int:
        return self.present + self.stored + len(self.refused)


Watch = Callable[[SyncResult], object]
"""Is told how far it is, often, from several threads."""


def refresh(
    label_studio: LabelStudio,
    project_id: int,
    *,
    version: str,
    tagger: Tagger,
    config: LabelConfig,
    keep_going: Callable[[], bool],
    watch: Watch = lambda _: None,
) -> SyncResult:
    """Predict every unlabelled task that lacks a prediction of ``version``, then make it the shown version.

    ``keep_going`` is asked before each import, so that a newer promotion ends an older refresh.
    """
    going = _Sync(label_studio, project_id, version, tagger, config, keep_going, watch)
    began = time.monotonic()
    try:
        going.run()
    finally:
        going.done.seconds.total = time.monotonic() - began
    done = going.done
    if done.refused:
        log.warning("project %s: Label Studio keeps no prediction of %s tasks", project_id, len(done.refused))
    if done.complete and keep_going() and (done.present or done.stored or not done.unlabelled):
        _show(label_studio, project_id, version, predicted=done.present + done.stored)
    return done


def predict(tasks: Sequence[OpenTask], *, version: str, tagger: Tagger, config: LabelConfig) -> list[Prediction]:
    """One prediction a task, in order; a task without a text gets an empty one."""
    return [each for part in _predict(tasks, version, tagger, config) for each in part]


def _predict(
    tasks: Sequence[OpenTask], version: str, tagger: Tagger, config: LabelConfig
) -> Iterator[list[Prediction]]:
    texts = [task_text({"data": task.data}, config) or "" for task in tasks]
    asked = zip(tasks, texts, strict=True)
    for part in tagger.tag_parts(texts):
        yield [
            Prediction(task=task.id, regions=regions(text, tagging.spans, config), score=tagging.score, version=version)
            for tagging, (task, text) in zip(part, asked, strict=False)
        ]


class _Sync:
    """One refresh. While Label Studio stores an import, on a thread, the next one is read and predicted."""

    def __init__(
        self,
        label_studio: LabelStudio,
        project_id: int,
        version: str,
        tagger: Tagger,
        config: LabelConfig,
        keep_going: Callable[[], bool],
        watch: Watch,
    ) -> None:
        self._label_studio = label_studio
        self._project_id = project_id
        self._version = version
        self._tagger = tagger
        self._config = config
        self._keep_going = keep_going
        self._watch = watch
        self._sent: set[int] = set()
        self._stopped = False
        self.done = SyncResult()

    def run(self) -> None:
        """Go through the unlabelled tasks until all have what they need; the last time only counts them."""
        found = self._go_through(first=True)
        while found and not self._stopped:
            found = self._go_through(first=False)
        self.done.complete = not self._stopped

    def _go_through(self, *, first: bool) -> int:
        """Predict what lacks a prediction and was not sent before; return how many such tasks there were."""
        waiting: list[OpenTask] = []
        seen = found = 0
        without: list[int] = []
        importing = BackgroundTask()
        try:
            for page in self._pages(counting=not first):
                lacking = [task for task in page.tasks if self._version not in task.predicted_by]
                fresh = [task for task in lacking if task.id not in self._sent]
                without += [task.id for task in lacking if task.id in self._sent]
                found += len(fresh)
                waiting += fresh
                self.done.unlabelled = max(self.done.unlabelled, seen + page.left)
                seen += len(page.tasks)
                if first:
                    self.done.present += len(page.tasks) - len(lacking)
                    self._watch(self.done)
                while len(waiting) >= BATCH and not self._stopped:
                    self._hand_over(waiting[:BATCH], importing)
                    del waiting[:BATCH]
                if self._stopped:
                    return found
            if waiting:
                self._hand_over(waiting, importing)
        finally:
            importing.wait()
        self.done.unlabelled = seen
        if not first:
            self.done.refused = without
        return found

    def _pages(self, *, counting: bool) -> Iterator[Page]:
        pages = self._label_studio.unlabelled_pages(self._project_id)
        seconds = self.done.seconds
        while True:
            began = time.monotonic()
            page = next(pages, None)
            took = time.monotonic() - began
            if counting:
                seconds.counting += took
            else:
                seconds.reading += took
            if page is None:
                return
            yield page

    def _hand_over(self, tasks: Sequence[OpenTask], importing: BackgroundTask) -> None:
        """Predict tasks while the import before them is stored, then have them stored."""
        began = time.monotonic()
        predictions: list[Prediction] = []
        for part in _predict(tasks, self._version, self._tagger, self._config):
            predictions += part
            self.done.predicted += len(part)
            self._watch(self.done)
        self.done.seconds.predicting += time.monotonic() - began
        for batch in _batches(predictions):
            importing.wait()
            if not self._keep_going():
                self._stopped = True
                return
            self._sent.update(each.task for each in batch)
            importing.start(partial(self._timed_import, batch))

    def _timed_import(self, batch: Sequence[Prediction]) -> None:
        began = time.monotonic()
        try:
            self._import(batch)
        finally:
            self.done.seconds.importing += time.monotonic() - began
        self._watch(self.done)

    def _import(self, batch: Sequence[Prediction]) -> None:
        """Import a batch; where one of its tasks makes Label Studio refuse the whole, that one is found and named."""
        try:
            created = self._label_studio.import_predictions(self._project_id, batch)
        except LabelStudioRefused:  # the same for every task
            raise
        except LabelStudioRejected as error:
            self._split(batch, self._lacking(batch), error)
        except LabelStudioError as error:
            self._settle(batch, error)
        else:
            lacking = self._lacking(batch) if created < len(batch) else []
            self.done.stored += len(batch) - len(lacking)
            self._refuse(lacking, "Label Studio skipped it")

    def _settle(self, batch: Sequence[Prediction], error: LabelStudioError) -> None:
        """Find out what became of an import without an answer: Label Studio may still be at it."""
        log.warning("project %s: an import is looked for: %s", self._project_id, error)
        unanswered = isinstance(error, LabelStudioUnreachable)
        until = time.monotonic() + (SETTLE_SECONDS if unanswered else 0.0)
        while True:
            try:
                lacking = self._lacking(batch)
            except LabelStudioUnreachable as silence:
                lacking, error, unanswered = list(batch), silence, True
            if not lacking or time.monotonic() > until:
                break
            time.sleep(_LOOK_SECONDS)
        if unanswered and lacking:
            raise error
        self.done.stored += len(batch) - len(lacking)
        self._split(batch, lacking, error)

    def _split(self, batch: Sequence[Prediction], lacking: Sequence[Prediction], error: LabelStudioError) -> None:
        """Send again what is missing of a batch: without tasks that are gone at once, else in halves."""
        if len(lacking) < len(batch):
            parts = [lacking] if lacking else []
        elif len(batch) == 1:
            self._refuse(batch, str(error))
            if len(self.done.refused) >= HOPELESS and not self.done.stored:
                raise error
            return
        else:
            half = len(batch) // 2
            parts = [batch[:half], batch[half:]]
        for part in parts:
            self._import(part)

    def _lacking(self, batch: Sequence[Prediction]) -> list[Prediction]:
        """Those whose tasks are unlabelled still and have no prediction of the version."""
        first, last = min(each.task for each in batch), max(each.task for each in batch)
        pages = self._label_studio.unlabelled_pages(self._project_id, first=first, last=last)
        lacking = {task.id for page in pages for task in page.tasks if self._version not in task.predicted_by}
        return [each for each in batch if each.task in lacking]

    def _refuse(self, predictions: Sequence[Prediction], reason: str) -> None:
        for each in predictions:
            log.warning("task %s: prediction refused: %s", each.task, reason)
            self.done.refused.append(each.task)


def _batches(predictions: Sequence[Prediction]) -> Iterator[list[Prediction]]:
    """Cut predictions into imports of so many regions."""
    batch: list[Prediction] = []
    number = 0
    for each in predictions:
        if batch and number + len(each.regions) > BATCH_REGIONS:
            yield batch
            batch, number = [], 0
        batch.append(each)
        number += len(each.regions)
    if batch:
        yield batch


class BackgroundTask:
    """One thing at a time on another thread; `wait` raises what it raised."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, work: Callable[[], object]) -> None:
        def carry_out() -> None:
            try:
                work()
            except BaseException as error:
                self._error = error

        # A daemon: a worker that is told to end does not wait for Label Studio.
        self._thread = threading.Thread(target=carry_out, name="import", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        if self._thread:
            self._thread.join()
        error, self._error = self._error, None
        if error:
            raise error


def _show(label_studio: LabelStudio, project_id: int, version: str, *, predicted: int) -> None:
    try:
        label_studio.set_model_version(project_id, version)
    except LabelStudioError as error:
        # With every task labelled there is no prediction of the version yet, and Label Studio wants one.
        if predicted:
            raise
        log.info("project %s keeps its shown version: %s", project_id, error)
