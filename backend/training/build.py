"""Trains one version from labelled documents: tag, split, fine-tune, export, evaluate, write its files."""

from __future__ import annotations

import json
import platform
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backend.conversion import Conversion
from backend.evaluation.evaluate import Metrics, evaluate, predict_tags, score_documents
from backend.inference.tagger import Precision, Tagger
from backend.recipe import Recipe
from backend.training.fine_tuning.distributed import Job, OtherRanks
from backend.training.fine_tuning.fine_tune import fine_tune
from backend.training.model_card import model_card
from backend.training.onnx.export import export
from backend.training.onnx.precision import decide_precision
from backend.training.split import Split, Subset, split
from converters.conll import write_tagged
from converters.document import Document
from converters.tagged import OTHER_LABEL, TaggedDocument, tag_document

Progress = Callable[[str, float], None]

PHASES = ("preparing", "training", "exporting", "evaluating")

METRICS_FILE = "metrics.json"
SNAPSHOT_FILE = "snapshot.conll"
CARD_FILE = "README.md"

_LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime")


@dataclass(frozen=True, slots=True)
class BuiltVersion:
    """A finished version.

    ``metrics`` are the scores on ``test``, the test set; ``None`` if it is empty. ``predicted`` are the BIO tags that
    the version gives its words. ``info`` is the rest of ``metrics.json``.
    """

    folder: Path
    labels: tuple[str, ...]
    test: tuple[TaggedDocument, ...]
    predicted: Sequence[Sequence[str]]
    metrics: Metrics | None
    info: dict[str, Any]


def build_version(
    documents: Sequence[Document],
    *,
    labels: Sequence[str],
    name: str,
    recipe: Recipe,
    folder: Path,
    progress: Progress,
    precision: Precision = "auto",
    start: Path | None = None,
    other_ranks: OtherRanks | None = None,
    conversion: Conversion | None = None,
    subsets: Split | None = None,
    files: Mapping[Subset, str] | None = None,
) -> BuiltVersion:
    """Train a version from all labelled documents and write it into ``folder``, which is new or empty.

    Training continues from the version in the folder ``start``, or starts from the recipe's base model.
    ``other_ranks`` take part in it. With ``precision`` ``auto`` the version may be served in int8 (`decide_precision`);
    the scores are those of the precision that is served. ``progress`` is called with a phase of `PHASES` and the
    fraction of it that is done; an exception it raises ends the run. Besides the model, ``folder`` gets
    ``metrics.json``, the documents as ``snapshot.conll`` and a model card, which say with ``conversion`` what became of
    the regions that were drawn. After a failure its content is incomplete. Where documents come from files, ``subsets``
    are the sets, in place of ``documents``, and ``files`` names their files on the card. Raises `TrainingError`.
    """
    timer = _PhaseTimer()
    progress("preparing", 0.0)
    if subsets is None:
        tagged = [tag_document(document, labels=labels) for document in documents]
        subsets = split(tagged)
    else:
        tagged = [*subsets.train, *subsets.validation, *subsets.test]
    folder.mkdir(parents=True, exist_ok=True)
    progress("preparing", 1.0)
    with timer.phase("training"):
        job = Job(subsets.train, subsets.validation, tuple(labels), recipe, start)
        if other_ranks:
            other_ranks.broadcast_job(job)
        model, tokenizer, trained = fine_tune(**job._asdict(), progress=lambda fraction: progress("training", fraction))
    with timer.phase("exporting"):
        progress("exporting", 0.0)
        export(model, tokenizer, folder)
        progress("exporting", 1.0)
    with timer.phase("evaluating"):
        progress("evaluating", 0.0)
        decision = decide_precision(folder, subsets, wanted=precision)
        # On the CPU: the version may be served there, wherever it was trained.
        served = Tagger.load(folder, device="cpu", precision=decision.serving)
        validation, predicted = evaluate(served, subsets.validation), predict_tags(served, subsets.test)
        test = score_documents(subsets.test, predicted)
    info = {
        "name": name,
        "files": dict(files) if files else None,
        "labels": list(labels),
        "recipe": asdict(recipe),
        "training": trained,
        "counts": _counts(subsets) | _losses(tagged),
        "conversion": conversion.to_dict() if conversion else None,
        **decision.to_dict(),
        "seconds": timer.seconds,
        "libraries": library_versions(),
    }
    _write_files(folder, tagged, info, validation=validation, test=test)
    progress("evaluating", 1.0)
    return BuiltVersion(folder, tuple(labels), subsets.test, predicted, test, info)


def library_versions() -> dict[str, str]:
    """The versions of what a model depends on, by name, for ``metrics.json``."""
    return {library: version(library) for library in _LIBRARIES} | {"python": platform.python_version()}


def write_info(folder: Path, info: Mapping[str, Any], card: str) -> None:
    """Write ``metrics.json`` and the model card of a version."""
    text = json.dumps(info, ensure_ascii=False, indent=2) + "\n"
    # A label or a text may contain a lone surrogate, which has no UTF-8 form.
    (folder / METRICS_FILE).write_text(text, encoding="utf-8", errors="backslashreplace")
    (folder / CARD_FILE).write_text(card, encoding="utf-8", errors="backslashreplace")


def _losses(documents: Sequence[TaggedDocument]) -> dict[str, int]:
    """How many spans are not learnt: those with another label, and those that overlap others or are empty.

    ``incomplete`` is the number of documents in which not every word's tag is known, ``complete`` that of the others.
    """
    reasons = Counter(loss.reason for document in documents for loss in document.losses)
    other = reasons.pop(OTHER_LABEL, 0)
    incomplete = sum(not document.is_complete for document in documents)
    return {
        "spans_of_other_labels": other,
        "spans_without_place": reasons.total(),
        "incomplete": incomplete,
        "complete": len(documents) - incomplete,
    }


def _counts(subsets: Split) -> dict[str, Any]:
    named = {"train": subsets.train, "validation": subsets.validation, "test": subsets.test}
    return {
        "documents": {name: len({document.id for document in documents}) for name, documents in named.items()},
        "entities": {name: sum(len(document.spans) for document in documents) for name, documents in named.items()},
    }


def _write_files(
    folder: Path,
    documents: Sequence[TaggedDocument],
    info: dict[str, Any],
    *,
    validation: Metrics | None,
    test: Metrics | None,
) -> None:
    scores = {
        "test": test.to_dict() if test else None,
        "validation": validation.to_dict() if validation else None,
    }
    write_info(folder, scores | info, model_card(info, validation=validation, test=test))
    with (folder / SNAPSHOT_FILE).open("w", encoding="utf-8", newline="\n") as stream:
        write_tagged(documents, stream)


class _PhaseTimer:
    """Seconds spent in each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 2)
