"""The search for wrong labels in one project, in a process of its own: ``python -m backend.training.review REVIEW_ID``.

Labelled tasks → cross-validation → label_issues. It never takes part in training or promotion: a worker starts it when
nothing is queued and ends it when something is.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING

from backend.errors import BackendError, LabelStudioUnreachable, NotEnoughLabels, RunCancelled, UnknownProject
from backend.label_studio.client import LabelStudio, open_label_studio
from backend.logs import configure_logging
from backend.recipe import Recipe
from backend.settings import Settings, load_settings
from backend.store import Store
from backend.store.models import LabelIssue, Project, Review
from backend.training.faults import explained
from converters import Document, read_tasks, tag_document
from label_config import LabelConfig, UnsupportedLabelConfig

if TYPE_CHECKING:
    from backend.training.label_issues import IssueCandidate

log = logging.getLogger(__name__)

MIN_TASKS = 50
"""With fewer labelled tasks a model knows too little to say that a person was wrong."""

_NICENESS = 19
"""Behind annotators' requests and training runs, which share the cores with this process."""

_HOLD_EACH_SECONDS = 20.0


def main(review_id: str) -> None:
    """Carry out a claimed review; every outcome is written to its row."""
    settings = load_settings()
    configure_logging(settings.log_level)
    os.nice(_NICENESS)
    store = Store(settings.database_url)
    review = store.reviews.going(review_id)
    if review is None:
        log.warning("review %s is not this process's any more", review_id)
        return
    try:
        run_review(settings, store, review, progress=_while_parent_lives())
    except (BackendError, UnsupportedLabelConfig) as error:
        log.warning("%s", error)


def run_review(
    settings: Settings,
    store: Store,
    review: Review,
    *,
    progress: Callable[[float], None],
    label_studio: Callable[[Settings, Project], LabelStudio] = open_label_studio,
) -> int:
    """Carry out a claimed review and write down what it finds; return the number of label_issues.

    ``progress`` is called with the fraction done. A review that it ends by `RunCancelled`, or that Label Studio's
    absence ends, stays due. Any other failure is the review's end: it is written down, and passed on.
    """
    try:
        with explained(settings.model_dir):
            return _find_and_store(settings, store, review, _held(store, review, progress), label_studio)
    except (RunCancelled, LabelStudioUnreachable):
        raise
    except (BackendError, UnsupportedLabelConfig) as error:
        store.reviews.fail(review.id, str(error))
        raise
    except Exception as error:
        store.reviews.fail(review.id, f"{type(error).__name__}: {error}")
        raise


def _find_and_store(
    settings: Settings,
    store: Store,
    review: Review,
    progress: Callable[[float], None],
    label_studio: Callable[[Settings, Project], LabelStudio],
) -> int:
    project = store.projects.get(review.project)
    config, documents, revision = _snapshot(store, project, label_studio(settings, project))
    if len(documents) < MIN_TASKS:
        raise NotEnoughLabels(
            f"Looking for wrong labels needs {MIN_TASKS} labelled tasks, and there are {len(documents)}: label more."
        )

    # torch and transformers take seconds to import.
    from backend.training.cross_validation import cross_validate
    from backend.training.label_issues import find_label_issues

    recipe = Recipe.from_settings(settings, project.extra_params)
    tagged = [tag_document(document, labels=config.labels) for document in documents]
    emissions = cross_validate(tagged, labels=config.labels, recipe=recipe, progress=progress)
    candidates = find_label_issues(tagged, emissions, labels=config.labels)
    label_issues = [_label_issue(candidate, review) for candidate in candidates]
    if not store.reviews.finish(review.id, label_issues, tasks=len(documents), revision=revision):
        raise RunCancelled(f"Review {review.id} was given to another process before its end.")
    log.info("project %s: %s label issues in %s labelled tasks", project.uid, len(label_issues), len(documents))
    return len(label_issues)


def _snapshot(store: Store, project: Project, label_studio: LabelStudio) -> tuple[LabelConfig, list[Document], int]:
    """The labelled documents as Label Studio has them now, and the revision they certainly contain."""
    remote = label_studio.project(project.id)
    if remote.uid != project.uid:
        raise UnknownProject(project.uid)
    revision = store.projects.get(project.uid).revision
    config = LabelConfig.from_xml(remote.label_config)
    documents, _ = read_tasks(label_studio.labelled_tasks(project.id), config)
    return config, documents, revision


def _label_issue(candidate: IssueCandidate, review: Review) -> LabelIssue:
    return LabelIssue(
        project=review.project,
        task=candidate.document,
        start=candidate.start,
        end=candidate.end,
        text=_storable(candidate.text),
        given=candidate.given.label if candidate.given else None,
        kind=candidate.kind,
        view=_storable(candidate.view),
        found=[asdict(span) for span in candidate.predicted],
        score=candidate.score,
        run=review.run,
    )


def _storable(text: str) -> str:
    """The text without what a database refuses: NUL, and lone surrogates, which have no UTF-8 form."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _held(store: Store, review: Review, progress: Callable[[float], None]) -> Callable[[float], None]:
    """The same progress, which renews the right to go on; raises `RunCancelled` once another process has it."""
    renewed = time.monotonic()

    def report(fraction: float) -> None:
        nonlocal renewed
        progress(fraction)
        if time.monotonic() - renewed >= _HOLD_EACH_SECONDS:
            if not store.reviews.hold(review.id):
                raise RunCancelled(f"Review {review.id} was given to another process.")
            renewed = time.monotonic()

    return report


def _while_parent_lives() -> Callable[[float], None]:
    parent = os.getppid()

    def report(_: float) -> None:
        if os.getppid() != parent:
            raise RunCancelled("The worker is gone; another one reviews the project.")

    return report


if __name__ == "__main__":
    main(sys.argv[1])
