"""Writes documents as Label Studio tasks, to be imported with predictions or annotations.

``Document("7", "best sushi", (Span(5, 10, "Dish", 0.9),))`` as a task with a prediction::

    {"data": {"text": "best sushi"}, "meta": {"source_id": "7"}, "predictions": [{"model_version": "conll", "result": [
        {"id": "0d1f6b2a3c", "from_name": "label", "to_name": "text", "type": "labels", "score": 0.9,
         "value": {"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}}]}]}

The format: https://labelstud.io/guide/predictions and https://labelstud.io/guide/task_format
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from itertools import count
from typing import Any, BinaryIO, Literal

from converters.document import LINES, Document, Span
from converters.report import ConversionReport, Problem
from label_config import LabelConfig, LabelledText
from label_config.shown_text import put_text

# Label Studio's PostgreSQL can store neither: the whole import would fail.
_UNWRITABLE = re.compile(r"[\x00\ud800-\udfff]")


def regions(
    document_text: str,
    spans: Iterable[Span],
    text: LabelledText,
    *,
    report: ConversionReport | None = None,
    task: str = "",
    ids: set[str] | None = None,
) -> list[dict[str, Any]]:
    """Write spans on one text as the ``result`` of a prediction or annotation, in the given order.

    Each region names the control that has its label. Ids are short, unique within the result and the same for the same
    spans; ``ids`` are those taken by the task's other texts. Since Label Studio rejects a whole prediction for one
    invalid region, spans with a label that this text does not have, empty spans and spans outside of the text are left
    out, and so is an invalid score; each is recorded in ``report`` as a problem of ``task``.
    """
    report = ConversionReport() if report is None else report
    ids = set() if ids is None else ids
    result: list[dict[str, Any]] = []
    for span in spans:
        control = text.control_of(span.label)
        if control is None:
            report.note(Problem.UNKNOWN_LABEL, task, f"{span.label!r} is not in the labelling configuration")
        elif _is_inside(document_text, span, report, task):
            region: dict[str, Any] = {
                "id": _region_id(span, ids),
                "from_name": control.from_name,
                "to_name": text.name,
                "type": "labels",
                "value": {
                    "start": span.start,
                    "end": span.end,
                    "text": document_text[span.start : span.end],
                    "labels": [span.label],
                },
            }
            result.append(region | _score(span.score, report, task))
    return result


def task_regions(
    texts: Sequence[str | None], spans: Sequence[Iterable[Span]], config: LabelConfig
) -> list[dict[str, Any]]:
    """Write the spans on each of a task's texts, in the order of the configuration, as one ``result``."""
    if len(texts) == 1:
        return regions(texts[0] or "", spans[0], config.texts[0])
    ids: set[str] = set()
    of_each = zip(texts, spans, config.texts, strict=True)
    return [region for content, on, text in of_each for region in regions(content or "", on, text, ids=ids)]


def prediction_task(
    document: Document,
    config: LabelConfig,
    *,
    model_version: str = "conll",
    score: float | None = None,
    report: ConversionReport | None = None,
) -> dict[str, Any]:
    """Write a document as a task with one prediction; ``score`` is that of the whole prediction, in [0, 1].

    ``meta.source_id`` keeps the document's id, since Label Studio numbers imported tasks itself, and ``meta.sentences``
    is ``lines`` where each line of the text is a sentence, which the way back to CoNLL needs. NUL characters and
    lone surrogates, which its database cannot store, become U+FFFD. What is left out or changed is recorded in
    ``report``.
    """
    report = ConversionReport() if report is None else report
    task = _task(document, config, report)
    result = regions(_text(document.text), document.spans, _text_of(document, config), report=report, task=document.id)
    prediction = {"model_version": model_version, "result": result, **_score(score, report, document.id)}
    return task | {"predictions": [prediction]}


def annotation_task(
    document: Document, config: LabelConfig, *, report: ConversionReport | None = None
) -> dict[str, Any]:
    """Write a document as a task with one submitted annotation, without scores; otherwise as ``prediction_task``.

    A document without spans gets an annotation without regions: it was labelled and has no entity.
    """
    report = ConversionReport() if report is None else report
    task = _task(document, config, report)
    spans = (Span(span.start, span.end, span.label) for span in document.spans)
    result = regions(_text(document.text), spans, _text_of(document, config), report=report, task=document.id)
    return task | {"annotations": [{"result": result}]}


def write_tasks(
    documents: Iterable[Document],
    stream: BinaryIO,
    config: LabelConfig,
    *,
    kind: Literal["predictions", "annotations"],
    report: ConversionReport,
    model_version: str = "conll",
) -> int:
    """Write documents as one JSON array of tasks for import, one per line, in UTF-8; returns their number.

    Memory does not grow with the number of documents. What is left out is recorded in ``report``, whose counts of
    tasks, documents and spans do not change.
    """
    written = 0
    for document in documents:
        if kind == "annotations":
            task = annotation_task(document, config, report=report)
        else:
            task = prediction_task(document, config, model_version=model_version, report=report)
        line = json.dumps(task, ensure_ascii=False)
        # What UTF-8 cannot encode (a surrogate in an id) is written as a JSON escape.
        stream.write((b",\n" if written else b"[\n") + line.encode("utf-8", "backslashreplace"))
        written += 1
    stream.write(b"\n]\n" if written else b"[]\n")
    return written


def _task(document: Document, config: LabelConfig, report: ConversionReport) -> dict[str, Any]:
    text = _text(document.text)
    if text != document.text:
        report.note(Problem.UNWRITABLE, document.id, "NUL characters or lone surrogates of the text became U+FFFD")
    data: dict[str, Any] = {}
    shown = _text_of(document, config)
    for labelled in config.texts:
        _put_text(data, labelled, text if labelled is shown else "")
    meta = {"source_id": _text(document.id)}
    if document.sentence_per_line:
        meta["sentences"] = LINES
    return {"data": data, "meta": meta}


def _text_of(document: Document, config: LabelConfig) -> LabelledText:
    """The text that a document is written as: the one it names, or the first."""
    return config.text(document.text_name) or config.texts[0]


def _put_text(data: dict[str, Any], labelled: LabelledText, text: str) -> None:
    try:
        if labelled.is_url:
            raise ValueError("it is an address")
        put_text(data, labelled.value, text)
    except ValueError as error:
        raise ValueError(
            f'The labelling configuration shows value="{labelled.value}" in <Text name="{labelled.name}">, from which '
            f'no task can be made ({error}): convert with a configuration that shows one field, such as value="$text".'
        ) from None


def _text(text: str) -> str:
    """Replace characters that no database can store, one by one, so that offsets stay the same."""
    return _UNWRITABLE.sub("\N{REPLACEMENT CHARACTER}", text)


def _is_inside(text: str, span: Span, report: ConversionReport, task: str) -> bool:
    if not 0 <= span.start <= span.end <= len(text):
        detail = f"{span.label} at {span.start} to {span.end}: the text has {len(text)} characters"
        report.note(Problem.OUTSIDE_TEXT, task, detail)
        return False
    if span.start == span.end:
        report.note(Problem.EMPTY_SPAN, task, f"{span.label} at {span.start} to {span.end}")
        return False
    return True


def _score(score: float | None, report: ConversionReport, task: str) -> dict[str, float]:
    if score is None:
        return {}
    if not 0 <= score <= 1:  # true for NaN too
        report.note(Problem.BAD_SCORE, task, f"the score {score} is not between 0 and 1")
        return {}
    return {"score": score}


def _region_id(span: Span, taken: set[str]) -> str:
    keys = (ascii((span.start, span.end, span.label, attempt)).encode() for attempt in count())
    candidates = (blake2b(key, digest_size=5).hexdigest() for key in keys)
    chosen = next(candidate for candidate in candidates if candidate not in taken)
    taken.add(chosen)
    return chosen
