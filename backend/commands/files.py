"""``evaluate`` and ``tag``: a version's folder used without the service."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from backend.commands.corpus_options import corpus_options, open_corpus
from backend.commands.output import show_table
from backend.conversion import count
from backend.errors import InvalidRequest, ModelError
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.evaluation.evaluate import LabelMetrics, Metrics
    from backend.inference.tagger import Tagger, Tagging
    from backend.scores import Interval

_PAIRS = 10


def _open(settings: Settings, folder: str) -> Tagger:
    from backend.inference.tagger import ONNX_FILE, Tagger

    if not (Path(folder) / ONNX_FILE).is_file():
        raise ModelError(f"{folder} is no version of a model: give a folder that `fit` wrote, or one below MODEL_DIR.")
    return Tagger.load(Path(folder), device=settings.device, precision=settings.precision)


@click.command()
@click.argument("folder")
@click.argument("test", metavar="TEST")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@corpus_options
@click.pass_obj
def evaluate(settings: Settings, /, folder: str, test: str, as_json: bool, **reading: Any) -> None:
    """Score the version in FOLDER, as it is served, on the labelled texts of TEST.

    A region is correct only if its boundaries and its label are exactly right. On fewer than 30 texts a score would
    vary by many points at random, so regions are counted instead.
    """
    tagger = _open(settings, folder)
    corpus = open_corpus(test, **reading)
    if missing := sorted(set(corpus.labels) - set(tagger.labels)):
        click.echo(f"Labels that the model lacks; their regions count as missed: {', '.join(missing)}.", err=True)
    from backend.evaluation.evaluate import evaluate as score_of
    from converters.tagged import tag_document

    metrics = score_of(tagger, [tag_document(document) for document in corpus.documents])
    if metrics is None:  # `open_corpus` refuses a corpus without texts
        return
    if as_json:
        click.echo(json.dumps(_for_json(metrics), ensure_ascii=False, indent=2))
    else:
        _show(metrics)


def _for_json(metrics: Metrics) -> dict[str, Any]:
    from backend.scores import Score

    values = metrics.to_dict()
    score = Score.from_metrics(values)
    if score.f1 is None:
        values |= {"precision": None, "recall": None, "f1": None}
        for row in values["per_label"].values():
            row |= {"precision": None, "recall": None, "f1": None}
    correct, predicted, gold = (int(number) for number in metrics.counts.totals(metrics.counts.labels).sum(axis=0))
    return values | {"unknown": _texts(score.unknown), "correct": correct, "predicted": predicted, "gold": gold}


def _texts(sentence: str | None) -> str | None:
    return sentence and sentence.replace("held-out task", "text").replace("task", "text")


def _show(metrics: Metrics) -> None:
    from backend.scores import Score

    score = Score.from_metrics(metrics.to_dict())
    click.echo(f"{_texts(score.sentence)}.\n")
    counts = metrics.counts
    totals = zip(counts.labels, counts.correct.sum(axis=0), counts.predicted.sum(axis=0), counts.gold.sum(axis=0),
                 strict=True)  # fmt: skip
    numbers = [(label, int(correct), int(predicted), int(gold)) for label, correct, predicted, gold in totals]
    sums = [int(part.sum()) for part in (counts.correct, counts.predicted, counts.gold)]
    numbers.insert(0, ("all", sums[0], sums[1], sums[2]))
    if score.f1 is None:
        show_table(("label", "correct", "predicted", "in the file"), numbers)
    else:
        intervals = metrics.intervals
        rows: dict[str, tuple[LabelMetrics | Metrics, Interval | None]] = {
            label: (row, intervals.per_label[label] if intervals else None) for label, row in metrics.per_label.items()
        }
        headings = ("label", "precision", "recall", "F1", "95 % interval of F1", "correct", "predicted", "in the file")
        rest = {row[0]: row[1:] for row in numbers[1:]}
        table = [_row("all", metrics, intervals.f1 if intervals else None, numbers[0][1:])]
        table += [_row(label, *row, rest[label]) for label, row in rows.items()]
        show_table(headings, table)
    _show_mistakes(metrics)


def _row(label: str, row: Any, interval: Interval | None, numbers: Sequence[int]) -> tuple[object, ...]:
    bounds = f"{interval[0]:.3f} to {interval[1]:.3f}" if interval else "too few texts"
    return label, f"{row.precision:.3f}", f"{row.recall:.3f}", f"{row.f1:.3f}", bounds, *numbers


def _show_mistakes(metrics: Metrics) -> None:
    mistakes = sorted(_mistakes(metrics), key=lambda row: -row[2])[:_PAIRS]
    if mistakes:
        click.echo("\nThe most frequent mistakes:")
        show_table(("in the file", "predicted", "regions"), mistakes)


def _mistakes(metrics: Metrics) -> Iterator[tuple[str, str, int]]:
    confusion = metrics.confusion
    for label, others in confusion.found_as.items():
        yield from ((label, other, number) for other, number in others.items() if other != label)
    yield from ((label, f"{label}, other boundaries", number) for label, number in confusion.boundaries.items())
    yield from ((label, "(missed)", number) for label, number in confusion.missed.items())
    yield from (("(none)", label, number) for label, number in confusion.spurious.items())


@click.command()
@click.argument("folder")
@click.argument("text", metavar="[TEXT|FILE|-]", default="-")
@click.option("--format", "form", type=click.Choice(["table", "jsonl", "conll"]), default="table", show_default=True)
@click.option("--whole", is_flag=True, help="The file, or standard input, is one text; by default each line is one.")
@click.pass_obj
def tag(settings: Settings, folder: str, text: str, form: str, whole: bool) -> None:
    """Mark the regions in texts with the version in FOLDER.

    If a file has the name that is given, its lines are the texts; anything else is a text itself, and "-" is standard
    input. Offsets are code points, as in Label Studio.
    """
    tagger = _open(settings, folder)
    texts = list(_texts_of(text, whole))
    taggings = tagger.tag(texts)
    if form == "jsonl":
        for content, tagging in zip(texts, taggings, strict=True):
            click.echo(json.dumps({"text": content, "spans": _spans(content, tagging)}, ensure_ascii=False))
    elif form == "conll":
        _write_conll(texts, taggings)
    else:
        rows = [
            (number, span["text"], span["label"], f"{span['score']:.3f}", span["start"], span["end"])
            for number, (content, tagging) in enumerate(zip(texts, taggings, strict=True), start=1)
            for span in _spans(content, tagging)
        ]
        click.echo(f"{count(len(texts), 'text')}, {count(len(rows), 'region')}.", err=True)
        if rows:
            show_table(("text", "region", "label", "score", "start", "end"), rows)


def _texts_of(text: str, whole: bool) -> Iterator[str]:
    if text != "-" and not _is_file(text):
        yield text
        return
    content = sys.stdin.buffer.read() if text == "-" else Path(text).read_bytes()
    try:
        decoded = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        name = "Standard input" if text == "-" else text
        raise InvalidRequest(f"{name} is not UTF-8 (byte {error.start}): convert it to UTF-8.") from None
    lines = decoded.replace("\r\n", "\n").removesuffix("\n").split("\n") if decoded else []
    yield from [decoded] if whole else lines


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # a text may be too long for a name
        return False


def _spans(text: str, tagging: Tagging) -> list[dict[str, Any]]:
    return [
        {"start": span.start, "end": span.end, "label": span.label, "score": span.score,
         "text": text[span.start : span.end]}
        for span in tagging.spans
    ]  # fmt: skip


def _write_conll(texts: Sequence[str], taggings: Sequence[Tagging]) -> None:
    from converters.conll import write_conll
    from converters.document import Document
    from converters.streams import writing_text

    pairs = enumerate(zip(texts, taggings, strict=True), start=1)
    documents = [Document(str(number), text, tagging.spans) for number, (text, tagging) in pairs]
    with writing_text("-") as out:
        write_conll(documents, out)
