"""Phrases of a project's labels: counted for suggestions until the first version serves, and scored for the gate."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from backend.evaluation.evaluate import Metrics, evaluate
from backend.inference.phrases import PhraseTagger
from backend.label_studio.api import Annotations
from backend.store import Store
from backend.training.snapshot import take_snapshot
from backend.training.split import subset_of
from converters import Document, LoadText
from converters.phrases import Phrase, count_phrases
from converters.tagged import TaggedDocument, tag_document
from label_config import UnsupportedLabelConfig

log = logging.getLogger(__name__)


def update_phrases(store: Store, label_studio: Annotations, uid: str, *, load: LoadText | None = None) -> None:
    """Count a project's phrases in Label Studio's labels, unless they were counted after the last change.

    Raises `ProjectReplaced` and `LabelStudioError`; a configuration that is not supported has no phrases.
    """
    if store.phrases.begin_sync(uid, store.projects.get(uid).revision):
        return
    try:
        snapshot = take_snapshot(store, uid, label_studio, replace_annotations=False, open_loader=lambda _: load)
    except UnsupportedLabelConfig as error:
        log.warning("project %s: no phrases are suggested: %s", uid, error)
        return
    documents = [tag_document(document, labels=snapshot.config.labels) for document in snapshot.documents]
    phrases = count_phrases(documents, store.phrases.given(uid))
    store.phrases.save(uid, phrases, revision=snapshot.revision)
    log.info("project %s: %s phrases", uid, len(phrases))


def score_phrases(
    documents: Sequence[Document], test: Sequence[TaggedDocument], *, labels: Sequence[str], given: Sequence[Phrase]
) -> Metrics | None:
    """Score the phrases of the training documents, and those that were given, on the test set."""
    train = [tag_document(document, labels=labels) for document in documents if subset_of(document.id) == "train"]
    return evaluate(PhraseTagger(count_phrases(train, given)), test)
