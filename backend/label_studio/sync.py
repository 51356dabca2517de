"""Syncs a version's predictions to Label Studio, so that pre-labels and task order come from them.

Nothing is remembered here: tasks without a prediction of the version are listed from Label Studio page by page,
predicted and imported, and listed again until none is left. So a sync that was killed continues where it stopped, and a
prediction whose import was cut off is sent again only if it is missing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from backend.errors import LabelStudioError
from backend.inference.tasks import TextTagger, predict_tasks, read_texts
from backend.label_studio.api import Page, Prediction, PredictionStore, UnlabelledTask
from backend.label_studio.importer import BackgroundTask, Importer, split_by_regions
from backend.store.unread_texts import UnreadTexts
from converters import LoadText
from label_config import LabelConfig

log = logging.getLogger(__name__)

BATCH = 2000
"""Predictions of one import: Label Studio needs over a second for each import, and 1 ms for each prediction."""


@dataclass(slots=True)
class Seconds:
    """Where the time went. Predicting and importing overlap, so the parts are more than the ``total``."""

    reading: float = 0.0
    predicting: float = 0.0
    importing: float = 0.0
    counting: float = 0.0
    total: float = 0.0


@dataclass(slots=True)
class SyncResult:
    """What a sync found and did.

    Of the ``unlabelled`` tasks, ``present`` had a prediction already; of those that were ``predicted``, ``stored`` are
    in Label Studio and ``refused`` are those for which it kept none. ``unread`` counts tasks whose text could not be
    read. It is ``complete`` unless it was stopped.
    """

    unread: UnreadTexts
    unlabelled: int = 0
    present: int = 0
    predicted: int = 0
    stored: int = 0
    refused: list[int] = field(default_factory=list)
    complete: bool = False
    seconds: Seconds = field(default_factory=Seconds)

    @property
    def done(self) -> int:
        return self.present + self.stored + len(self.refused) + self.unread.delayed


OnProgress = Callable[[SyncResult], object]
"""Progress callback; may be called from several threads."""


def sync_predictions(
    label_studio: PredictionStore,
    project_id: int,
    *,
    version: str,
    tagger: TextTagger,
    config: LabelConfig,
    load: LoadText | None = None,
    keep_going: Callable[[], bool],
    on_progress: OnProgress = lambda _: None,
) -> SyncResult:
    """Predict every unlabelled task that lacks a prediction of ``version``, then show annotators this version.

    ``load`` reads texts of which the tasks hold the address; a task whose text it cannot read gets an empty prediction,
    or none if the text may be there later (`TextDelayed`).
    ``keep_going`` is called before each import, so that a newer promotion stops an older sync.
    """
    unread = UnreadTexts(version)
    predict = partial(predict_parts, version=version, tagger=tagger, config=config, load=load, unread=unread)
    sync = _Sync(label_studio, project_id, version, predict, unread, keep_going, on_progress)
    started = time.monotonic()
    try:
        sync.run()
    finally:
        sync.result.seconds.total = time.monotonic() - started
    result = sync.result
    if result.refused:
        log.warning("project %s: Label Studio keeps no prediction of %s tasks", project_id, len(result.refused))
    for sentence in result.unread.sentences:
        log.warning("project %s: %s", project_id, sentence)
    if result.complete and keep_going() and (result.present or result.stored or not result.unlabelled):
        _show(label_studio, project_id, version, predicted=result.present + result.stored)
    return result


def predict_parts(
    tasks: Sequence[UnlabelledTask],
    *,
    version: str,
    tagger: TextTagger,
    config: LabelConfig,
    load: LoadText | None = None,
    unread: UnreadTexts | None = None,
) -> Iterator[list[Prediction]]:
    """One prediction for each task, in order, a part at a time; a task without a text gets an empty prediction.

    A task whose text may be there later gets none. Texts that cannot be read are noted in ``unread``.
    """
    texts = read_texts(({"data": task.data} for task in tasks), config, load=load)
    for number, reason in texts.unavailable.items():
        if unread:
            unread.note(tasks[number].id, reason, is_delayed=number in texts.delayed)
    waiting = iter(enumerate(tasks))
    for part in predict_tasks(tagger, texts):
        yield [
            Prediction(task=task.id, regions=regions, score=score, version=version)
            for (regions, score), (number, task) in zip(part, waiting, strict=False)
            if number not in texts.delayed
        ]


class _Sync:
    """One sync. While Label Studio stores an import, on a thread, the tasks of the next one are read and predicted."""

    def __init__(
        self,
        label_studio: PredictionStore,
        project_id: int,
        version: str,
        predict: Callable[[Sequence[UnlabelledTask]], Iterator[list[Prediction]]],
        unread: UnreadTexts,
        keep_going: Callable[[], bool],
        on_progress: OnProgress,
    ) -> None:
        self._label_studio = label_studio
        self._project_id = project_id
        self._version = version
        self._predict = predict
        self._keep_going = keep_going
        self._on_progress = on_progress
        self._importer = Importer(label_studio, project_id, version)
        self._sent: set[int] = set()
        self._tried: set[int] = set()
        self._stopped = False
        self.result = SyncResult(unread)

    def run(self) -> None:
        """Pass over the unlabelled tasks until none lacks a prediction; the last pass only counts them."""
        predicted = self._pass_over_tasks(first=True)
        while predicted and not self._stopped:
            predicted = self._pass_over_tasks(first=False)
        self.result.complete = not self._stopped

    def _pass_over_tasks(self, *, first: bool) -> int:
        """Predict the tasks that lack a prediction and were not read before; return how many there were."""
        waiting: list[UnlabelledTask] = []
        read = predicted = 0
        without: list[int] = []
        importing = BackgroundTask()
        try:
            for page in self._pages(counting=not first):
                lacking = [task for task in page.tasks if self._version not in task.predicted_by]
                fresh = [task for task in lacking if task.id not in self._tried]
                without += [task.id for task in lacking if task.id in self._sent]
                predicted += len(fresh)
                waiting += fresh
                self.result.unlabelled = max(self.result.unlabelled, read + page.remaining)
                read += len(page.tasks)
                if first:
                    self.result.present += len(page.tasks) - len(lacking)
                    self._on_progress(self.result)
                while len(waiting) >= BATCH and not self._stopped:
                    self._predict_and_import(waiting[:BATCH], importing)
                    del waiting[:BATCH]
                if self._stopped:
                    return predicted
            if waiting:
                self._predict_and_import(waiting, importing)
        finally:
            importing.wait()
        self.result.unlabelled = read
        if not first:
            self.result.refused = without
        return predicted

    def _pages(self, *, counting: bool) -> Iterator[Page]:
        pages = self._label_studio.unlabelled_pages(self._project_id)
        seconds = self.result.seconds
        while True:
            started = time.monotonic()
            page = next(pages, None)
            duration = time.monotonic() - started
            if counting:
                seconds.counting += duration
            else:
                seconds.reading += duration
            if page is None:
                return
            yield page

    def _predict_and_import(self, tasks: Sequence[UnlabelledTask], importing: BackgroundTask) -> None:
        """Predict tasks while the import before them is stored, then start their import."""
        started = time.monotonic()
        self._tried.update(task.id for task in tasks)
        predictions: list[Prediction] = []
        for part in self._predict(tasks):
            predictions += part
            self.result.predicted += len(part)
            self._on_progress(self.result)
        self.result.seconds.predicting += time.monotonic() - started
        for batch in split_by_regions(predictions):
            importing.wait()
            if not self._keep_going():
                self._stopped = True
                return
            self._sent.update(prediction.task for prediction in batch)
            importing.start(partial(self._import, batch))

    def _import(self, batch: Sequence[Prediction]) -> None:
        started = time.monotonic()
        try:
            self._importer.store(batch)
        finally:
            self.result.seconds.importing += time.monotonic() - started
            self.result.stored = self._importer.stored
            self.result.refused = list(self._importer.refused)
        self._on_progress(self.result)


def _show(label_studio: PredictionStore, project_id: int, version: str, *, predicted: int) -> None:
    try:
        label_studio.set_model_version(project_id, version)
    except LabelStudioError as error:
        # Where every task is labelled there is no prediction of the version yet, and Label Studio requires one.
        if predicted:
            raise
        log.info("project %s: Label Studio still shows the earlier model version: %s", project_id, error)
