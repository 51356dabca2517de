"""The search for wrong labels in one project, in a process of its own: ``python -m backend.training.review REVIEW_ID``.

Labelled tasks → cross-validation → label issues. A review has no effect on training or promotion: a worker starts it
when no run is queued, and ends it when one is.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

from backend.conversion import Conversion, count
from backend.errors import BackendError, LabelStudioUnreachable, NotEnoughLabels, RunCancelled
from backend.label_studio.api import Annotations
from backend.label_studio.client import open_label_studio
from backend.label_studio.texts import loader_of
from backend.recipe import Recipe
from backend.settings import Settings, configure_logging, load_settings
from backend.store import Store
from backend.store.lease import Lease
from backend.store.models import TOO_FEW_LABELS, LabelIssue, Project, Review
from backend.training.faults import translate_faults
from backend.training.snapshot import take_snapshot
from converters import tag_document
from label_config import UnsupportedLabelConfig

if TYPE_CHECKING:
    from backend.training.label_issues import IssueCandidate

log = logging.getLogger(__name__)

MIN_TASKS = 50
"""A model trained on fewer labelled tasks is not good enough to doubt an annotator."""

_CONTEXT = 120
"""Characters of the text before and after the marked words of a label issue."""

_NICENESS = 19
"""Annotators' requests and training runs share the cores with this process and have priority."""


def main(review_id: str) -> None:
    """Search one project for a claimed review; every outcome is written to the review's row."""
    settings = load_settings()
    configure_logging(settings.log_level)
    os.nice(_NICENESS)
    store = Store(settings.database_url)
    review = store.reviews.find_open(review_id)
    if review is None:
        log.warning("review %s has ended, or another process has taken it over", review_id)
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
    label_studio: Callable[[Settings, Project], Annotations] = open_label_studio,
) -> int:
    """Search one project for a claimed review and store its label issues; return their number.

    ``progress`` is called with the fraction done. If it raises `RunCancelled`, or Label Studio cannot be reached, the
    review stays due. Any other failure ends the review: it is stored with it, and passed on.
    """
    lease = Lease(store.leases, "review", review.project, holder=review.id)
    if not lease.acquire():
        raise RunCancelled(f"Another process reviews project {review.project}.")
    try:
        with translate_faults(settings.model_dir):
            return _find_and_store(
                settings, store, review, _storing(store, review, _while_leased(lease, progress)), label_studio
            )
    except (RunCancelled, LabelStudioUnreachable):
        raise
    except (BackendError, UnsupportedLabelConfig) as error:
        kind = TOO_FEW_LABELS if isinstance(error, NotEnoughLabels) else None
        store.reviews.fail(review.id, str(error), kind=kind)
        raise
    except Exception as error:
        store.reviews.fail(review.id, f"{type(error).__name__}: {error}")
        raise
    finally:
        lease.stop_renewing()


def _find_and_store(
    settings: Settings,
    store: Store,
    review: Review,
    progress: Callable[[float], None],
    label_studio: Callable[[Settings, Project], Annotations],
) -> int:
    project = store.projects.get(review.project)
    snapshot = take_snapshot(
        store,
        project.uid,
        label_studio(settings, project),
        replace_annotations=False,
        open_loader=lambda config: loader_of(config, settings, project),
    )
    _check_number(snapshot.conversion)
    tasks, labels = snapshot.report.used, snapshot.config.labels

    # torch and transformers take seconds to import.
    from backend.training.cross_validation import cross_validate
    from backend.training.label_issues import find_label_issues

    recipe = Recipe.from_settings(settings, project.extra_params)
    documents = [tag_document(document, labels=labels) for document in snapshot.documents]
    emissions = cross_validate(documents, labels=labels, recipe=recipe, progress=progress)
    candidates = find_label_issues(documents, emissions, labels=labels)
    texts = {(document.id, document.text_name): document.text for document in documents}
    label_issues = [_label_issue(candidate, review, texts, snapshot.annotators) for candidate in candidates]
    if not store.reviews.finish(review.id, label_issues, tasks=tasks, revision=snapshot.revision):
        raise RunCancelled(f"Review {review.id} was taken over by another process before its end.")
    log.info("project %s: %s label issues in %s labelled tasks", project.uid, len(label_issues), tasks)
    return len(label_issues)


def _check_number(conversion: Conversion) -> None:
    """Raise `NotEnoughLabels` if fewer than `MIN_TASKS` tasks can be read."""
    tasks, used = conversion.total.tasks, conversion.total.tasks_used
    needs = f"Looking for wrong labels needs {MIN_TASKS} labelled tasks"
    if used < MIN_TASKS and used < tasks:
        losses = "; ".join(conversion.loss_sentences())
        raise NotEnoughLabels(f"{needs} that can be read, and of {count(tasks, 'labelled task')} {used} can: {losses}.")
    if used < MIN_TASKS:
        raise NotEnoughLabels(f"{needs}, and there are {tasks}: label more.")


def _label_issue(
    candidate: IssueCandidate,
    review: Review,
    texts: Mapping[tuple[str, str], str],
    annotators: Mapping[str, tuple[str, ...]],
) -> LabelIssue:
    before, after = _context(texts[candidate.document, candidate.text_name], candidate.start, candidate.end)
    return LabelIssue(
        project=review.project,
        task=candidate.document,
        text_name=candidate.text_name,
        start=candidate.start,
        end=candidate.end,
        text=_storable(candidate.text),
        given=candidate.given.label if candidate.given else None,
        kind=candidate.kind,
        view=_storable(candidate.view),
        before=_storable(before),
        after=_storable(after),
        annotator=_storable(next(iter(annotators.get(candidate.document, ())), "")),
        found=[asdict(span) for span in candidate.predicted],
        score=candidate.score,
        run=review.run,
    )


def _context(text: str, start: int, end: int) -> tuple[str, str]:
    """The text before and after a region in its line, at most `_CONTEXT` characters each, cut between words."""
    before = text[:start].rpartition("\n")[2]
    after = text[end:].partition("\n")[0]
    if len(before) > _CONTEXT:
        before = f"… {before[-_CONTEXT:].partition(' ')[2] or before[-_CONTEXT:]}"
    if len(after) > _CONTEXT:
        after = f"{after[:_CONTEXT].rpartition(' ')[0] or after[:_CONTEXT]} …"
    return before, after


def _storable(text: str) -> str:
    """The text without NUL and lone surrogates, which a database cannot store."""
    return text.replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")


def _storing(store: Store, review: Review, progress: Callable[[float], None]) -> Callable[[float], None]:
    """The same progress callback, which also stores the fraction, once a second at most."""
    written = -1.0

    def report(fraction: float) -> None:
        nonlocal written
        progress(fraction)
        if time.monotonic() - written >= 1.0:
            written = time.monotonic()
            store.reviews.note_progress(review.id, fraction)

    return report


def _while_leased(lease: Lease, progress: Callable[[float], None]) -> Callable[[float], None]:
    """The same progress callback, which raises `RunCancelled` once another process has taken the review over."""

    def report(fraction: float) -> None:
        progress(fraction)
        if lease.lost:
            raise RunCancelled("Another process has taken the review over.")

    return report


def _while_parent_lives() -> Callable[[float], None]:
    parent = os.getppid()

    def report(_: float) -> None:
        if os.getppid() != parent:
            raise RunCancelled("The worker is gone; another one reviews the project.")

    return report


if __name__ == "__main__":
    main(sys.argv[1])
