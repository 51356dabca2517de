"""Brings a version's predictions into Label Studio, so that pre-labels and task order come from it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backend.errors import LabelStudioError, LabelStudioRefused, LabelStudioUnreachable
from backend.inference.tagger import Tagger
from backend.label_studio import LabelStudio, OpenTask, Prediction
from converters import regions, task_text
from label_config import LabelConfig

log = logging.getLogger(__name__)

# Label Studio spends a second on every import request, however small, and 4 ms on each prediction in it.
BATCH = 500


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What a refresh did: predictions Label Studio ``stored`` and ``refused``; ``complete`` unless told to stop."""

    stored: int
    refused: int
    complete: bool


def refresh(
    label_studio: LabelStudio,
    project_id: int,
    *,
    version: str,
    tagger: Tagger,
    config: LabelConfig,
    keep_going: Callable[[], bool],
) -> Refreshed:
    """Predict every unlabelled task that lacks a prediction of ``version``, then make it the shown version.

    Interrupted anywhere, it goes on where it stopped when called again: what is stored is not predicted twice.
    ``keep_going`` is asked before each batch, so that a newer promotion ends an older refresh.
    """
    tasks = label_studio.unlabelled_tasks(project_id)
    waiting = [task for task in tasks if version not in task.predicted_by]
    stored = 0
    for start in range(0, len(waiting), BATCH):
        if not keep_going():
            return Refreshed(stored, start - stored, complete=False)
        predictions = predict(waiting[start : start + BATCH], version=version, tagger=tagger, config=config)
        stored += _import(label_studio, project_id, predictions)
    refused = len(waiting) - stored
    if refused:
        log.warning("project %s: Label Studio stored %s of %s predictions", project_id, stored, len(waiting))
    if keep_going():
        predicted = len(tasks) - refused
        if predicted or not tasks:
            _show(label_studio, project_id, version, predicted=predicted)
    return Refreshed(stored, refused, complete=True)


def predict(tasks: Sequence[OpenTask], *, version: str, tagger: Tagger, config: LabelConfig) -> list[Prediction]:
    """One prediction a task, in order; a task without a text gets an empty one."""
    texts = [task_text({"data": task.data}, config) or "" for task in tasks]
    return [
        Prediction(
            task=task.id,
            regions=regions(text, tagging.spans, config),
            score=tagging.score,
            version=version,
        )
        for task, text, tagging in zip(tasks, texts, tagger.tag(texts), strict=True)
    ]


def _import(label_studio: LabelStudio, project_id: int, predictions: Sequence[Prediction]) -> int:
    """Import a batch; one task deleted meanwhile makes Label Studio refuse the whole, so halve and try again."""
    try:
        return label_studio.import_predictions(project_id, predictions)
    except (LabelStudioUnreachable, LabelStudioRefused):  # the same for every task
        raise
    except LabelStudioError as error:
        if len(predictions) == 1:
            log.warning("task %s: prediction refused: %s", predictions[0].task, error)
            return 0
    half = len(predictions) // 2
    return sum(_import(label_studio, project_id, part) for part in (predictions[:half], predictions[half:]))


def _show(label_studio: LabelStudio, project_id: int, version: str, *, predicted: int) -> None:
    try:
        label_studio.set_model_version(project_id, version)
    except LabelStudioError as error:
        # With every task labelled there is no prediction of the version yet, and Label Studio wants one.
        if predicted:
            raise
        log.info("project %s keeps its shown version: %s", project_id, error)
