"""``evaluate``: scores a version's folder on a labelled file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from backend.commands.files import corpus_options, open_corpus, open_version
from backend.commands.output import show_table
from backend.errors import InvalidRequest
from backend.settings import Settings

if TYPE_CHECKING:
    from backend.evaluation.evaluate import Metrics
    from backend.scores import LabelScore, Score

_MOST_MISTAKES = 10


@click.command()
@click.argument("folder")
@click.argument("test", metavar="TEST")
@click.option("--word-pieces", is_flag=True, help="Count each word piece as a word, as many notebooks do.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@corpus_options
@click.pass_obj
def evaluate(settings: Settings, /, folder: str, test: str, word_pieces: bool, as_json: bool, **reading: Any) -> None:
    """Score the version in FOLDER, as it is served, on the labelled texts of TEST.

    TEST is a CoNLL file in any layout, or an export of Label Studio in JSON. A region is correct only if its boundaries
    and its label are exactly right. On fewer than 30 texts a score would vary by many points at random, so regions are
    counted instead; so are those of a label that fewer than 10 texts have.
    """
    tagger = open_version(settings, folder)
    corpus = open_corpus(test, **reading)
    missing = sorted(set(corpus.labels) - set(tagger.labels))
    if missing and len(missing) == len(corpus.labels):
        raise InvalidRequest(
            f"{folder} and {test} have no label in common (the model has {', '.join(tagger.labels)}; the file has "
            f"{', '.join(missing)}): give a file with the model's labels."
        )
    if missing:
        click.echo(f"The model lacks these labels, so their regions count as missed: {', '.join(missing)}.", err=True)
    from backend.evaluation.evaluate import predict_tags, score_documents
    from backend.evaluation.word_pieces import score_word_pieces
    from backend.scores import TEXT, Score
    from converters.tagged import tag_document

    documents = [tag_document(document) for document in corpus.documents]
    predicted = predict_tags(tagger, documents)
    metrics = score_word_pieces(tagger, documents, predicted) if word_pieces else score_documents(documents, predicted)
    if metrics is None:  # `open_corpus` refuses a corpus without texts
        return
    score = Score.from_metrics(metrics.to_dict(), unit=TEXT)
    if as_json:
        click.echo(json.dumps(_for_json(metrics, score), ensure_ascii=False, indent=2))
    else:
        _show(metrics, score)


def _for_json(metrics: Metrics, score: Score) -> dict[str, Any]:
    from backend.scores import known_metrics

    correct = metrics.counts.correct.sum()
    return known_metrics(metrics.to_dict()) | {"correct": int(correct), "unknown": score.unknown}


def _show(metrics: Metrics, score: Score) -> None:
    click.echo(f"{score.sentence}.\n")
    rows = (_row(row) for row in _label_scores(metrics, score))
    show_table(("label", "precision", "recall", "F1", "95 % interval of F1", "regions"), rows)
    mistakes = sorted(_mistakes(metrics), key=lambda row: -row[2])[:_MOST_MISTAKES]
    if mistakes:
        click.echo("\nThe most frequent mistakes:")
        show_table(("in the file", "predicted", "regions"), mistakes)


def _label_scores(metrics: Metrics, score: Score) -> Iterator[LabelScore]:
    """The scores of all labels together, then of each label."""
    from backend.scores import LabelScore, label_scores

    found = int(metrics.counts.correct.sum())
    total = LabelScore("all", metrics.support, found, metrics.predicted - found)
    if score.f1 is not None:
        total = replace(total, f1=score.f1, precision=metrics.precision, recall=metrics.recall, interval=score.interval)
    yield total
    yield from label_scores(metrics.to_dict()).values()


def _row(row: LabelScore) -> tuple[object, ...]:
    """Counts in place of an F1 that is unknown."""
    from backend.scores import shown, shown_interval

    f1 = row.counts if row.f1 is None else shown(row.f1)
    return row.label, shown(row.precision), shown(row.recall), f1, shown_interval(row.interval) or "–", row.regions


def _mistakes(metrics: Metrics) -> Iterator[tuple[str, str, int]]:
    """Each kind of mistake: what is in the file, what was predicted in its place, and how often."""
    confusion = metrics.confusion
    for label, others in confusion.found_as.items():
        yield from ((label, other, number) for other, number in others.items() if other != label)
    yield from ((label, f"{label}, other boundaries", number) for label, number in confusion.boundaries.items())
    yield from ((label, "(nothing)", number) for label, number in confusion.missed.items())
    yield from (("(nothing)", label, number) for label, number in confusion.spurious.items())
