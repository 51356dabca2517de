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
    reader = _TaskReader(config, report, unreadable, load)
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
        yield from reader.read(task, name, chosen)


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
    data = task.get("data")
    texts = [text.shown(data) for text in config.texts]
    for index, text in enumerate(config.texts):
        if text.is_url and (address := texts[index]):
            texts[index] = load(address) if load else None
    return texts


class _TaskReader:
    """Reads one labelled task after the other as documents, and counts them in ``report``."""

    def __init__(
        self, config: LabelConfig, report: ConversionReport, unreadable: Unreadable, load: LoadText | None
    ) -> None:
        self._config, self._report, self._load = config, report, load
        self._mask = unreadable == "mask"
        self._annotations = AnnotationReader(config, report, keep_labels=unreadable == "keep labels")
        self._names = text_names(config)
        self._only = config.texts[0] if len(config.texts) == 1 and not config.texts[0].is_url else None
        self._labels = [text.labels if len(text.labels) < len(config.labels) else None for text in config.texts]

    def read(self, task: dict[str, Any], name: str, chosen: Sequence[Annotation]) -> list[Document]:
        """Read the ``chosen`` annotations of a task, one for each text that has one."""
        if self._only and len(chosen) == 1 and (text := self._only.shown(task.get("data"))):
            usual = self._annotations.usual_spans(chosen[0]["result"], text)
            if usual is not None:
                self._report.regions += len(usual)
                return self._counted([Document(name, text, tuple(usual), sentence_per_line=_has_lines(task))])
        texts = self._texts(task, name)
        votes = [self._annotations.read(annotation["result"], texts, name) for annotation in chosen]
        documents: list[Document] = []
        for index, text in enumerate(texts):
            of_text = [vote[index] for vote in votes]
            # Of several texts, one that is empty was not labelled.
            if text is not None and (len(texts) == 1 or text.strip() or any(vote.spans for vote in of_text)):
                places = tuple([place for vote in of_text for place in vote.unreadable])
                if (places and not self._mask) or any(vote.is_incomplete for vote in of_text):
                    self._report.left_out += 1
                    continue
                spans = of_text[0].spans if len(of_text) == 1 else _agreed(text, of_text, name, self._report)
                names = self._names[index], self._labels[index]
                documents.append(Document(name, text, tuple(spans), places, *names, _has_lines(task)))
        return self._counted(documents)

    def _texts(self, task: dict[str, Any], name: str) -> list[str | None]:
        """The texts of a task; what is missing is recorded."""
        try:
            texts = task_texts(task, self._config, load=self._load)
        except TextNotLoaded as error:
            self._report.note(Problem.NO_TEXT, name, str(error))
            return [None] * len(self._names)
        if texts.count(None) == len(texts):
            fields = ", ".join(dict.fromkeys(repr(field) for text in self._config.texts for field in text.fields))
            detail = f"data has no text under {fields}"
            if self._config.texts[0].is_url:
                detail = (
                    f"there is only an address under {fields}: use `python -m backend export`, which reads the text"
                )
            self._report.note(Problem.NO_TEXT, name, detail)
        return texts

    def _counted(self, documents: list[Document]) -> list[Document]:
        report = self._report
        report.used += bool(documents)
        report.documents += len(documents)
        for document in documents:
            report.negatives += not (document.spans or document.unreadable)
            report.spans += len(document.spans)
        return documents


def _has_lines(task: dict[str, Any]) -> bool:
    """Whether the task was made from CoNLL, with a sentence on each line (see `converters.tasks`)."""
    meta = task.get("meta")
    return isinstance(meta, dict) and meta.get("sentences") == LINES


def _agreed(text: str, votes: Sequence[TextRegions], name: str, report: ConversionReport) -> Sequence[Span]:
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
