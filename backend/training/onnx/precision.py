"""Decides whether a version is served in int8, by comparing it with fp32 on the version's own documents."""

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
from backend.scores import are_too_few, held_out_tasks, shown
from backend.training.onnx.quantize import QUANTIZATION_CONFIGS, Inputs, QuantizationConfig, calibrate, quantize
from backend.training.split import Split
from converters.document import Document
from converters.tagged import TaggedDocument, tag_document
from converters.words import words

log = logging.getLogger(__name__)

F1_LOSS = 0.003
"""F1 that int8 may lose on the held-out documents."""

AGREEMENT = 0.95
"""Least F1 of int8 with the predictions of fp32 as gold; 0.975 on the corpus's 706 test sentences."""

_COMPARED_TEXTS, _COMPARED_CHARS = 300, 100_000
_CALIBRATION_TEXTS, _CALIBRATION_PIECES = 128, 4096


@dataclass(frozen=True, slots=True)
class PrecisionDecision:
    """What ``metrics.json`` records about int8.

    ``f1`` and ``fp32_f1`` are measured on the same ``documents`` held-out documents; ``None`` where none of them has a
    region. ``agreement`` is the F1 of int8 with the predictions of fp32 as gold. All are those of the published
    quantisation config, or of the last one tried; ``config`` is its name.
    """

    published: bool
    reason: str
    config: str | None = None
    f1: float | None = None
    fp32_f1: float | None = None
    documents: int = 0
    agreement: float | None = None

    @property
    def serving(self) -> Precision:
        return "int8" if self.published else "fp32"

    def to_dict(self) -> dict[str, Any]:
        """For ``metrics.json``: the precision that is served, and the decision."""
        return {"serving": self.serving, "int8": asdict(self)}


def decide_precision(folder: Path, subsets: Split, *, wanted: Precision = "auto") -> PrecisionDecision:
    """Write ``onnx/model_quantized.onnx`` into a version's folder if its predictions are as good as those in fp32.

    The configs of `QUANTIZATION_CONFIGS` are tried until one meets both conditions, with the tagger as it is served:

    - F1 on the test documents (on the validation documents if no test document has a region) is at most `F1_LOSS`
      below that of fp32;
    - on at most 300 documents of all subsets, its F1 with the predictions of fp32 as gold is `AGREEMENT` or more. This
      finds a broken model also where few or no documents are held out.

    If none does, or quantisation fails, fp32 is served and the decision has the reason.
    """
    path = folder / INT8_FILE
    if wanted == "fp32":
        return PrecisionDecision(False, "PRECISION=fp32")
    if not int8_is_exact():
        return PrecisionDecision(False, "this processor has no VNNI, so that int8 may overflow and cannot be scored")
    try:
        decision = _try_configs(folder, path, subsets)
    except Exception as error:  # of ONNX, of ONNX Runtime, of the disk: the version is usable without int8
        log.warning("The model cannot be quantised, so it is served in fp32.", exc_info=True)
        decision = PrecisionDecision(False, f"quantisation failed: {type(error).__name__}: {error}"[:500])
    if not decision.published:
        path.unlink(missing_ok=True)
    log.info("served in %s: %s", decision.serving, decision.reason)
    return decision


def _try_configs(folder: Path, path: Path, subsets: Split) -> PrecisionDecision:
    fp32 = Tagger.load(folder, device="cpu", precision="fp32")
    candidates = (subsets.test, subsets.validation)
    held_out = next((subset for subset in candidates if any(document.spans for document in subset)), ())
    fp32_metrics = evaluate(fp32, held_out)
    compared = _with_predictions(fp32, _sample((*subsets.test, *subsets.validation, *subsets.train)))
    if not any(document.spans for document in compared):
        return PrecisionDecision(False, "the model finds no regions to compare")
    ranges = calibrate(folder / ONNX_FILE, _calibration_inputs(folder, subsets.train))
    decision = PrecisionDecision(False, "there is no quantisation config")
    for config in QUANTIZATION_CONFIGS:
        quantize(folder / ONNX_FILE, path, config, ranges)
        int8 = Tagger.load(folder, device="cpu", precision="int8")
        decision = _decide(config, evaluate(int8, held_out), fp32_metrics, evaluate(int8, compared))
        if decision.published:
            break
    return decision


def _decide(
    config: QuantizationConfig, int8: Metrics | None, fp32: Metrics | None, compared: Metrics | None
) -> PrecisionDecision:
    """``int8`` and ``fp32`` are metrics on the held-out documents, ``compared`` those of int8 against fp32."""
    agreement = compared.f1 if compared else 0.0
    reasons = [f"F1 {shown(agreement)} with the predictions of fp32 as gold, {AGREEMENT} is required"]
    publish = agreement >= AGREEMENT
    if int8 and fp32:
        publish = publish and int8.f1 >= fp32.f1 - F1_LOSS
        reasons.insert(0, _comparison(int8, fp32))
    return PrecisionDecision(
        published=publish,
        reason="; ".join(reasons),
        config=config.name,
        f1=int8.f1 if int8 else None,
        fp32_f1=fp32.f1 if fp32 else None,
        documents=int8.documents if int8 else 0,
        agreement=agreement,
    )


def _comparison(int8: Metrics, fp32: Metrics) -> str:
    """The F1 of both and their exact difference; only this on so few documents that F1 counts as unknown."""
    lost = f"{max(fp32.f1 - int8.f1, 0.0):.4f} of F1 lost against fp32 ({F1_LOSS} is allowed)"
    if are_too_few(int8.documents):
        return f"{lost} on only {held_out_tasks(int8.documents)}"
    return f"F1 {shown(int8.f1)} against {shown(fp32.f1)} in fp32, {lost}"


def _with_predictions(tagger: Tagger, documents: Sequence[TaggedDocument]) -> list[TaggedDocument]:
    """The documents with the tagger's predictions in place of the annotated regions."""
    taggings = tagger.tag([document.text for document in documents])
    return [
        tag_document(Document(document.id, document.text, tagging.spans))
        for document, tagging in zip(documents, taggings, strict=True)
    ]


def _sample(documents: Sequence[TaggedDocument]) -> list[TaggedDocument]:
    """Evenly spaced documents, at least one, with about `_COMPARED_CHARS` characters at most."""
    sample: list[TaggedDocument] = []
    for document in documents[:: max(1, len(documents) // _COMPARED_TEXTS)]:
        if sample and sum(len(chosen.text) for chosen in (*sample, document)) > _COMPARED_CHARS:
            break
        sample.append(document)
    return sample[:_COMPARED_TEXTS]


def _calibration_inputs(folder: Path, documents: Sequence[TaggedDocument]) -> Iterator[Inputs]:
    """Inputs of the graph for `calibrate`, one window each, of evenly spaced documents."""
    sample = documents[:: max(1, len(documents) // _CALIBRATION_TEXTS)]
    windows = read_encoder(folder).encode([[word.text for word in words(document.text)] for document in sample])
    pieces = 0
    for window in windows:
        if pieces > _CALIBRATION_PIECES:
            return
        pieces += len(window.input_ids)
        ids = window.input_ids[None]
        yield {"input_ids": ids, "attention_mask": np.ones_like(ids)}
