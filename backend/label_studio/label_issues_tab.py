"""Brings label issues into Label Studio, where people correct them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from backend.errors import LabelStudioRejected
from backend.label_studio.api import Prediction
from backend.label_studio.client import LabelStudio
from backend.label_studio.identity import same_project
from backend.store.models import LabelIssue
from converters import Document, Span, read_tasks, regions
from label_config import LabelConfig

log = logging.getLogger(__name__)

VERSION = "label_issues"
"""The model version under which Label Studio holds them, apart from the predictions of the versions that serve."""

TAB = "Probable mistakes"


def push(
    label_studio: LabelStudio, uid: str, label_issues: Iterable[LabelIssue], *, progress: Callable[[float], None]
) -> int:
    """Store one prediction a suspicious task, in place of those pushed before; return how many there are.

    It holds what the model would mark in the disputed places, and as ``mislabeling`` the score of the surest issue.
    Label Studio's Data Manager has no column for that field and cannot sort by it, but it can by the time of the last
    change: so the surest comes last, and a tab lists the tasks in that order until somebody changes them.
    """
    project = same_project(label_studio, uid)
    config = LabelConfig.from_xml(project.label_config)
    documents, _ = read_tasks(label_studio.labelled_tasks(project.id), config)
    predictions = _predictions(documents, label_issues, config)
    label_studio.delete_predictions(project.id, VERSION)
    stored, until = 0, None
    for number, prediction in enumerate(predictions, start=1):
        try:
            until = label_studio.create_prediction(prediction)
        except LabelStudioRejected as error:  # the task may have been deleted since
            log.warning("task %s: issue not stored: %s", prediction.task, error)
        else:
            stored += 1
        progress(number / len(predictions))
    if until:
        label_studio.show_tab(project.id, TAB, version=VERSION, until=until)
    return stored


def _predictions(
    documents: Iterable[Document], label_issues: Iterable[LabelIssue], config: LabelConfig
) -> Sequence[Prediction]:
    """One a task that is still labelled, the surest mistake last."""
    by_task: dict[str, list[LabelIssue]] = {}
    for issue in label_issues:
        by_task.setdefault(issue.task, []).append(issue)
    found = [_prediction(each, by_task[each.id], config) for each in documents if each.id in by_task]
    return sorted(found, key=lambda prediction: prediction.mislabeling)


def _prediction(document: Document, label_issues: Sequence[LabelIssue], config: LabelConfig) -> Prediction:
    score = max(issue.score for issue in label_issues)
    # A region that replaces two given ones was found twice.
    found = {(each["start"], each["end"], each["label"]): Span(**each) for one in label_issues for each in one.found}
    return Prediction(
        task=int(document.id),
        regions=regions(document.text, sorted(found.values()), config),
        score=score,
        version=VERSION,
        mislabeling=score,
    )
