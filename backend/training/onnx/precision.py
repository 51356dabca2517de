"""Whether a version is served in int8: tried on its own documents, decided by rule, and written down."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backend.evaluation.evaluate import Metrics, evaluate
from backend.inference.session import int8_is_exact
from backend.inference.tagger import INT8_FILE, ONNX_FILE, Precision, Tagger, read_encoder
from backend.training.onnx.quantize import QUANTIZATION_CONFIGS, Feed, Recipe, measure, quantize
from backend.training.split import Split
from converters.document import Document
from converters.tagged import TaggedDocument, tag_document
from converters.words import words

log = logging.getLogger(__name__)

F1_LOSS = 0.003
"""F1 that int8 may lose on the held-out documents."""

AGREEMENT = 0.95
"""Least F1 of int8 with the regions that fp32 finds as gold; 0.978 on the corpus's 706 test sentences."""

_COMPARED_TEXTS, _COMPARED_CHARS = 300, 100_000
_MEASURED_TEXTS, _MEASURED_PIECES = 128, 4096


@dataclass(frozen=True, slots=True)
class Decision:
    """What ``metrics.json`` says about int8.

    ``f1`` and ``fp32_f1`` are of the same ``documents`` held-out documents, ``None`` where none of them has a region;
    ``agreement`` is the F1 against fp32. All are of the published recipe, or of the last one tried.
    """

    published: bool
    reason: str
    recipe: str | None = None
    f1: float | None = None
    fp32_f1: float | None = None
    documents: int = 0
    agreement: float | None = None

    @property
    def serving(self) -> Precision:
        return "int8" if self.published else "fp32"

    def to_dict(self) -> dict[str, Any]:
        """What ``metrics.json`` holds: the precision served, and why."""
        return {"serving": self.serving, "int8": asdict(self)}


def decide_precision(folder: Path, sides: Split, *, wanted: Precision = "auto") -> Decision:
    """Write ``onnx/model_quantized.onnx`` into a version's folder if its answers are as good as those in fp32.

    The recipes of `QUANTIZATION_CONFIGS` are tried until one passes both tests of the tagger as it will serve:

    - F1 on the test documents (on the validation documents where no test document has a region) is at most `F1_LOSS`
      below that of fp32;
    - on documents of all sides, at most 300, it finds the regions that fp32 finds, with an F1 of `AGREEMENT` or more.
      Few held-out documents, or none, say too little, and here a broken model shows whatever they say.

    If none passes, or quantisation fails for whatever reason, fp32 is served, and the decision says why.
    """
    path = folder / INT8_FILE
    if wanted == "fp32":
        return Decision(False, "PRECISION=fp32")
    if not int8_is_exact():
        return Decision(False, "this processor has no VNNI, so that int8 may overflow and cannot be scored")
    try:
        decision = _climb(folder, path, sides)
    except Exception as error:  # of ONNX, of ONNX Runtime, of the disk: a version without int8 is a good version
        log.warning("The model cannot be quantised, so it is served in fp32.", exc_info=True)
        decision = Decision(False, f"quantisation failed: {type(error).__name__}: {error}"[:500])
    if not decision.published:
        path.unlink(missing_ok=True)
    log.info("served in %s: %s", decision.serving, decision.reason)
    return decision


def _climb(folder: Path, path: Path, sides: Split) -> Decision:
    fp32 = Tagger.load(folder, device="cpu", precision="fp32")
    held_out = next((side for side in (sides.test, sides.validation) if any(one.spans for one in side)), ())
    expected = evaluate(fp32, held_out)
    compared = _as_found(fp32, _spread((*sides.test, *sides.validation, *sides.train)))
    if not any(document.spans for document in compared):
        return Decision(False, "the model finds no regions to compare")
    ranges = measure(folder / ONNX_FILE, _feeds(folder, sides.train))
    decision = Decision(False, "no recipe")
    for recipe in QUANTIZATION_CONFIGS:
        quantize(folder / ONNX_FILE, path, recipe, ranges)
        int8 = Tagger.load(folder, device="cpu", precision="int8")
        decision = _judge(recipe, evaluate(int8, held_out), expected, evaluate(int8, compared))
        if decision.published:
            break
    return decision


def _judge(recipe: Recipe, found: Metrics | None, expected: Metrics | None, same: Metrics | None) -> Decision:
    agreement = same.f1 if same else 0.0
    reasons = [f"it finds fp32's regions with F1 {agreement:.4f}, {AGREEMENT} is asked for"]
    passed = agreement >= AGREEMENT
    if found and expected:
        passed = passed and found.f1 >= expected.f1 - F1_LOSS
        reasons.insert(0, f"F1 {found.f1:.4f} against {expected.f1:.4f} in fp32, {F1_LOSS} may be lost")
    return Decision(
        published=passed,
        reason="; ".join(reasons),
        recipe=recipe.name,
        f1=found.f1 if found else None,
        fp32_f1=expected.f1 if expected else None,
        documents=found.documents if found else 0,
        agreement=agreement,
    )


def _as_found(tagger: Tagger, documents: Sequence[TaggedDocument]) -> list[TaggedDocument]:
    """The documents with the tagger's regions in place of the annotators'."""
    taggings = tagger.tag([document.text for document in documents])
    return [
        tag_document(Document(document.id, document.text, tagging.spans))
        for document, tagging in zip(documents, taggings, strict=True)
    ]


def _spread(documents: Sequence[TaggedDocument]) -> list[TaggedDocument]:
    """Some documents from everywhere in the order; at least one."""
    chosen: list[TaggedDocument] = []
    for document in documents[:: max(1, len(documents) // _COMPARED_TEXTS)]:
        if chosen and sum(len(one.text) for one in (*chosen, document)) > _COMPARED_CHARS:
            break
        chosen.append(document)
    return chosen[:_COMPARED_TEXTS]


def _feeds(folder: Path, documents: Sequence[TaggedDocument]) -> Iterator[Feed]:
    """Inputs of the graph to measure its activations with, one window each: of some training texts."""
    chosen = documents[:: max(1, len(documents) // _MEASURED_TEXTS)]
    windows = read_encoder(folder).encode([[word.text for word in words(document.text)] for document in chosen])
    pieces = 0
    for window in windows:
        if pieces > _MEASURED_PIECES:
            return
        pieces += len(window.input_ids)
        ids = window.input_ids[None]
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids)}
