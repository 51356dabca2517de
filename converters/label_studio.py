"""Reads Label Studio's tasks as documents.

A labelled task, shortened::

    {"id": 1, "data": {"text": "best sushi"}, "annotations": [{"id": 12, "was_cancelled": false, "result": [
        {"id": "a", "from_name": "label", "to_name": "text", "type": "labels",
         "value": {"start": 5, "end": 10, "text": "sushi", "labels": ["Dish"]}}]}]}

becomes ``Document("1", "best sushi", (Span(5, 10, "Dish"),))``.

The format: https://labelstud.io/guide/task_format and https://labelstud.io/guide/export#Label-Studio-JSON-format-of-annotated-tasks
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

from converters.agreement import agree
from converters.bio import Loss
from converters.document import LINES, Document, Span
from converters.region_reader import AnnotationReader, TextRegions
from converters.report import ConversionReport, Problem, shown
from converters.task_annotations import Annotation, decisive, one_each, submitted_annotations
from label_config import LabelConfig

Unreadable = Literal["mask", "leave out", "keep labels"]
"""What becomes of a text with regions that cannot be read:

- ``mask``: a document whose ``unreadable`` names them, as far as their places are known;
- ``leave out``: no document;
- ``keep labels``: labels that the configuration does not have are kept as they are; other such texts are left out.
"""

LoadText = Callable[[str], str]
"""Reads the text at an address; raises `TextNotLoaded`."""


class TextNotLoaded(Exception):
    """The text at an address cannot be read; the message says why and gives the remedy."""


def iter_documents(
    tasks: Iterable[dict[str, Any]],
    config: LabelConfig,
    report: ConversionReport,
    *,
    annotator: str | int | None = None,
    agreement: bool = False,
    unreadable: Unreadable = "mask",
    load: LoadText | None = None,
) -> Iterator[Document]:
    """Read the labelled tasks of an export as documents, one after the other, and report everything else.

    A task has a document for each of the configuration's texts. One annotation of a task counts: a ground truth if
    there is one, else the latest submitted one. Cancelled annotations (skipped tasks), drafts and predictions never
    count. A submitted annotation without regions is a document without spans. With ``annotator``, an id or an e-mail
    address, only that person's annotations count. With ``agreement`` the latest annotation of each person is one vote
    instead, a ground truth too, and ``converters.agreement.agree`` combines the votes to spans; a single vote is used
    unchanged.

    A region becomes a span if its text, its place and its label are certain (see `AnnotationReader`); overlaps are
    kept. The words of other regions are never taken for words outside of entities: see `Unreadable`. A text whose
    region may be anywhere in it is always left out. ``load`` reads texts of which the task holds the address.

    Tasks may be any JSON values: unreadable parts are counted and recorded in ``report``, nothing raises. Memory does
    not grow with the number of tasks.
    """
    reader = AnnotationReader(config, report, keep_labels=unreadable == "keep labels")
    for task in tasks:
        report.tasks += 1
        if not isinstance(task, dict):
            report.note(Problem.MALFORMED, f"#{report.tasks}", f"a task is an object, not {shown(task)}")
            continue
        name = _task_name(task, report.tasks)
        annotations = submitted_annotations(task, name, report, annotator=annotator)
        if not annotations:
            continue
        report.labelled += 1
        chosen = one_each(annotations) if agreement else [decisive(annotations)]
        report.superseded += len(annotations) - len(chosen)
        texts = _texts(task, name, config, report, load)
        documents = _documents(name, texts, chosen, reader, unreadable, _has_sentence_per_line(task))
        report.used += bool(documents)
        yield from documents


def read_tasks(
    tasks: Iterable[dict[str, Any]], config: LabelConfig, *, load: LoadText | None = None
) -> tuple[list[Document], ConversionReport]:
    """Read labelled tasks as ``iter_documents`` does, all at once."""
    report = ConversionReport()
    return list(iter_documents(tasks, config, report, load=load)), report


def read_regions(results: object, texts: Sequence[str | None], config: LabelConfig) -> list[tuple[Span, ...]]:
    """Read a list of results as spans on each of a task's ``texts``; unreadable results are left out."""
    if not isinstance(results, list):
        return [() for _ in texts]
    read = AnnotationReader(config, ConversionReport(), keep_labels=False).read(results, texts, "")
    return [tuple(regions.spans) for regions in read]


def text_names(config: LabelConfig) -> list[str]:
    """``Document.text_name`` of the documents of a task, in the order of the configuration's texts."""
    return [text.name for text in config.texts] if len(config.texts) > 1 else [""]


def task_texts(task: dict[str, Any], config: LabelConfig, *, load: LoadText | None = None) -> list[str | None]:
    """The texts of a task as the editor shows them, in the order of the configuration; ``None`` where there is none.

    Of a text that the task holds the address of, ``load`` reads it; raises what ``load`` raises.
    """
    shown_texts = [text.shown(task.get("data")) for text in config.texts]
    return [
        (load(content) if load else None) if text.is_url and content else content
        for text, content in zip(config.texts, shown_texts, strict=True)
    ]


def _texts(
    task: dict[str, Any], name: str, config: LabelConfig, report: ConversionReport, load: LoadText | None
) -> list[str | None]:
    """The texts of a labelled task; what is missing is recorded."""
    try:
        texts = task_texts(task, config, load=load)
    except TextNotLoaded as error:
        report.note(Problem.NO_TEXT, name, str(error))
        return [None] * len(config.texts)
    if all(text is None for text in texts):
        fields = ", ".join(dict.fromkeys(repr(field) for text in config.texts for field in text.fields))
        where = "there is only the address of the text" if config.texts[0].is_url else "data has no text"
        report.note(Problem.NO_TEXT, name, f"{where} under {fields}")
    return texts


def _documents(
    name: str,
    texts: Sequence[str | None],
    chosen: Sequence[Annotation],
    reader: AnnotationReader,
    unreadable: Unreadable,
    sentence_per_line: bool,
) -> list[Document]:
    """The documents of one task, counted in the reader's report."""
    report, config = reader.report, reader.config
    votes = [reader.read(annotation["result"], texts, name) for annotation in chosen]
    documents: list[Document] = []
    for name_of_text, text, content, *of_text in zip(text_names(config), config.texts, texts, *votes, strict=True):
        if content is None:
            continue
        places = tuple(place for vote in of_text for place in vote.unreadable)
        if any(vote.is_incomplete for vote in of_text) or (places and unreadable != "mask"):
            report.left_out += 1
            continue
        spans = _agreed(content, of_text, name, report) if len(of_text) > 1 else tuple(of_text[0].spans)
        labels = text.labels if len(text.labels) < len(config.labels) else None
        document = Document(name, content, spans, places, name_of_text, labels, sentence_per_line)
        report.documents += 1
        report.negatives += not spans and not places
        report.spans += len(spans)
        documents.append(document)
    return documents


def _has_sentence_per_line(task: dict[str, Any]) -> bool:
    """Whether the task was made from CoNLL, with a sentence on each line (see `converters.tasks`)."""
    meta = task.get("meta")
    return isinstance(meta, dict) and meta.get("sentences") == LINES


def _agreed(text: str, votes: Sequence[TextRegions], name: str, report: ConversionReport) -> tuple[Span, ...]:
    agreement = agree(text, [vote.spans for vote in votes])
    report.voted_words += agreement.words
    report.disputed_words += agreement.disputed
    for loss in agreement.losses:
        note_loss(report, name, loss)
    return agreement.spans


def note_loss(report: ConversionReport, name: str, loss: Loss) -> None:
    """Record a region that did not become tags."""
    detail = f"{loss.span.label} at {loss.span.start} to {loss.span.end} {loss.reason}"
    if loss.kept:
        detail += f": {loss.kept.label} at {loss.kept.start} to {loss.kept.end} is kept"
    report.note(Problem.EMPTY_SPAN if loss.kept is None else Problem.OVERLAP, name, detail)


def _task_name(task: dict[str, Any], position: int) -> str:
    number = task.get("id")
    return f"#{position}" if number is None else str(number)
