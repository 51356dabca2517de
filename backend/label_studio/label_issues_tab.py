"""Shows label issues in Label Studio, where people correct them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from backend.errors import LabelStudioRejected
from backend.label_studio.api import LabelStudioAPI, Prediction
from backend.label_studio.identity import same_project
from backend.store.models import LabelIssue
from converters import Document, Span, read_tasks, regions
from label_config import LabelConfig

log = logging.getLogger(__name__)

VERSION = "label_issues"
"""The model version of the predictions that hold label issues, so that they are no version's pre-labels."""

TAB = "Label issues"


def push(
    label_studio: LabelStudioAPI, uid: str, label_issues: Iterable[LabelIssue], *, progress: Callable[[float], None]
) -> int:
    """Store one prediction for each task with issues, in place of those pushed before; return how many there are.

    A prediction holds the regions that the model would mark, and as ``mislabeling`` the highest score of the task's
    issues. Label Studio's Data Manager cannot sort by that field, but it can by the time of the last change: so the
    highest score is stored last, and a tab lists the tasks in that order until somebody changes them.

    ``progress`` is called with the fraction done. Raises `ProjectReplaced`.
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
            log.warning("task %s: label issue not stored: %s", prediction.task, error)
        else:
            stored += 1
        progress(number / len(predictions))
    if until:
        label_studio.show_tab(project.id, TAB, version=VERSION, until=until)
    return stored


def _predictions(
    documents: Iterable[Document], label_issues: Iterable[LabelIssue], config: LabelConfig
) -> Sequence[Prediction]:
    """One for each task that is still labelled, by ascending score."""
    by_task: dict[str, list[LabelIssue]] = {}
    for issue in label_issues:
        by_task.setdefault(issue.task, []).append(issue)
    predictions = [
        _prediction(document, by_task[document.id], config) for document in documents if document.id in by_task
    ]
    return sorted(predictions, key=lambda prediction: prediction.mislabeling)


def _prediction(document: Document, label_issues: Sequence[LabelIssue], config: LabelConfig) -> Prediction:
    score = max(issue.score for issue in label_issues)
    # A region that replaces two given ones is in both of their issues.
    spans = [Span(**span) for issue in label_issues for span in issue.found]
    distinct = {(span.start, span.end, span.label): span for span in spans}
    return Prediction(
        task=int(document.id),
        regions=regions(document.text, sorted(distinct.values()), config),
        score=score,
        version=VERSION,
        mislabeling=score,
    )
