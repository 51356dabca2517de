"""One version from labelled documents, end to end: split, fine-tune, export, evaluate, write down."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from backend.evaluation.evaluate import Metrics, evaluate
from backend.inference.tagger import Precision, Tagger
from backend.recipe import Recipe
from backend.training.distributed import Job, OtherRanks
from backend.training.fine_tune import fine_tune
from backend.training.model_card import model_card
from backend.training.onnx.export import export
from backend.training.onnx.precision import decide_precision
from backend.training.split import Split, split
from converters.bio import spans_to_tags, tags_to_spans
from converters.conll import write_conll
from converters.document import Document

Progress = Callable[[str, float], None]

PHASES = ("preparing", "training", "exporting", "evaluating")

METRICS_FILE = "metrics.json"
SNAPSHOT_FILE = "snapshot.conll"
CARD_FILE = "README.md"

_LIBRARIES = ("torch", "transformers", "tokenizers", "onnx", "onnxruntime", "seqeval")


@dataclass(frozen=True, slots=True)
class Built:
    """A finished version: its folder, labels, the documents of the test side, the scores on them (``None`` if there
    are none), and what ``metrics.json`` says besides these."""

    folder: Path
    labels: tuple[str, ...]
    test: tuple[Document, ...]
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
) -> Built:
    """Train a version from all labelled documents and write it into ``folder``, which is new or empty.

    Training continues from the version in the folder ``start``, or starts from the recipe's base model.
    ``other_ranks`` take part in it.
    With ``precision`` ``auto`` it may be published in int8 too (`decide_precision`), and what is scored is what serves.
    ``progress`` gets a phase of `PHASES` and the fraction of it that is done; what it raises ends the run. Besides the
    model, ``folder`` gets ``metrics.json``, the documents as ``snapshot.conll`` and a model card. On failure it is
    left as far as it came. Raises `TrainingError`.
    """
    clock = _Clock()
    progress("preparing", 0.0)
    known, dropped = _of_labels(documents, labels)
    sides = split(known)
    folder.mkdir(parents=True, exist_ok=True)
    progress("preparing", 1.0)
    with clock.phase("training"):
        job = Job(sides.train, sides.validation, tuple(labels), recipe, start)
        if other_ranks:
            other_ranks.broadcast_job(job)
        model, tokenizer, trained = fine_tune(**job._asdict(), progress=lambda fraction: progress("training", fraction))
    with clock.phase("exporting"):
        progress("exporting", 0.0)
        export(model, tokenizer, folder)
        progress("exporting", 1.0)
    with clock.phase("evaluating"):
        progress("evaluating", 0.0)
        decision = decide_precision(folder, sides, wanted=precision)
        # On the CPU, where the version may serve whatever trained it.
        validation, test = _scores(Tagger.load(folder, device="cpu", precision=decision.serving), sides)
    info = {
        "name": name,
        "labels": list(labels),
        "recipe": asdict(recipe),
        "training": trained,
        "counts": _counts(sides) | dropped,
        **decision.to_dict(),
        "seconds": clock.seconds,
        "libraries": {library: version(library) for library in _LIBRARIES} | {"python": platform.python_version()},
    }
    _write_down(folder, known, info, validation=validation, test=test)
    progress("evaluating", 1.0)
    return Built(folder=folder, labels=tuple(labels), test=sides.test, metrics=test, info=info)


def _scores(tagger: Tagger, sides: Split) -> tuple[Metrics | None, Metrics | None]:
    return evaluate(tagger, sides.validation), evaluate(tagger, sides.test)


def _of_labels(documents: Sequence[Document], labels: Sequence[str]) -> tuple[list[Document], dict[str, int]]:
    """Documents with the spans that can be learnt, and how many cannot: of other labels, overlapping, or empty."""
    learnable: list[Document] = []
    other = lost = 0
    for document in documents:
        spans = [span for span in document.spans if span.label in labels]
        tagged = spans_to_tags(document.text, spans)
        other += len(document.spans) - len(spans)
        lost += len(tagged.losses)
        learnable.append(replace(document, spans=tuple(tags_to_spans(tagged.words, tagged.tags))))
    return learnable, {"spans_of_other_labels": other, "spans_without_place": lost}


def _counts(sides: Split) -> dict[str, Any]:
    named = {"train": sides.train, "validation": sides.validation, "test": sides.test}
    return {
        "documents": {side: len(documents) for side, documents in named.items()},
        "entities": {side: sum(len(one.spans) for one in documents) for side, documents in named.items()},
    }


def _write_down(
    folder: Path,
    documents: Sequence[Document],
    info: dict[str, Any],
    *,
    validation: Metrics | None,
    test: Metrics | None,
) -> None:
    scores = {
        "test": test.to_dict() if test else None,
        "validation": validation.to_dict() if validation else None,
    }
    text = json.dumps(scores | info, ensure_ascii=False, indent=2) + "\n"
    # An id2label or a text of a task may hold a lone surrogate, which has no UTF-8 form.
    (folder / METRICS_FILE).write_text(text, encoding="utf-8", errors="backslashreplace")
    with (folder / SNAPSHOT_FILE).open("w", encoding="utf-8", newline="\n") as stream:
        write_conll(documents, stream)
    card = model_card(info, validation=validation, test=test)
    (folder / CARD_FILE).write_text(card, encoding="utf-8", errors="backslashreplace")


class _Clock:
    """Seconds spent in each phase."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - started, 2)
