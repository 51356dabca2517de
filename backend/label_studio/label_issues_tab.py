"""Shows label issues in Label Studio, where people correct them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from backend.errors import LabelStudioRejected
from backend.label_studio.api import LabelStudioAPI, Prediction
from backend.label_studio.identity import same_project
from backend.store.models import LabelIssue
from converters import Document, LoadText, Span, read_tasks, task_regions, text_names
from label_config import LabelConfig

log = logging.getLogger(__name__)

VERSION = "label_issues"
"""The model version of the predictions that hold label issues, so that they are no version's pre-labels."""

TAB = "Label issues"


def push(
    label_studio: LabelStudioAPI,
    uid: str,
    label_issues: Iterable[LabelIssue],
    *,
    progress: Callable[[float], None],
    open_loader: Callable[[LabelConfig], LoadText | None] = lambda _: None,
) -> int:
    """Store one prediction for each task with issues, in place of those pushed before; return how many there are.

    A prediction holds the regions that the model would mark, and as ``mislabeling`` the highest score of the task's
    issues. Label Studio's Data Manager cannot sort by that field, but it can by the time of the last change: so the
    highest score is stored last, and a tab lists the tasks in that order until somebody changes them.

    ``progress`` is called with the fraction done; ``open_loader`` opens what reads texts at addresses. Raises
    `ProjectReplaced`.
    """
    project = same_project(label_studio, uid)
    config = LabelConfig.from_xml(project.label_config)
    documents, _ = read_tasks(label_studio.labelled_tasks(project.id), config, load=open_loader(config))
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
    texts = {(document.id, document.text_name): document.text for document in documents}
    by_task: dict[str, list[LabelIssue]] = {}
    for issue in label_issues:
        if (issue.task, issue.text_name) in texts:
            by_task.setdefault(issue.task, []).append(issue)
    predictions = [
        _prediction(task, of_task, [texts.get((task, name)) for name in text_names(config)], config)
        for task, of_task in by_task.items()
    ]
    return sorted(predictions, key=lambda prediction: prediction.mislabeling)


def _prediction(
    task: str, label_issues: Sequence[LabelIssue], texts: Sequence[str | None], config: LabelConfig
) -> Prediction:
    score = max(issue.score for issue in label_issues)
    spans = [
        [Span(**span) for issue in label_issues if issue.text_name == name for span in issue.found]
        for name in text_names(config)
    ]
    # A region that replaces two given ones is in both of their issues.
    distinct = [{(span.start, span.end, span.label): span for span in of_text} for of_text in spans]
    return Prediction(
        task=int(task),
        regions=task_regions(texts, [sorted(of_text.values()) for of_text in distinct], config),
        score=score,
        version=VERSION,
        mislabeling=score,
    )
