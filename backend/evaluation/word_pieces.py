"""Scores over word pieces, as many notebooks compute them: to compare figures with theirs."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain, islice, repeat
from operator import attrgetter

from backend.evaluation.evaluate import Metrics, by_task, score
from backend.inference.tagger import Tagger
from converters.bio import OUTSIDE, tags_to_spans
from converters.document import Span, Word
from converters.tagged import UNKNOWN, TaggedDocument
from converters.words import whitespace_words


def score_word_pieces(
    tagger: Tagger, documents: Sequence[TaggedDocument], predicted: Sequence[Sequence[str]]
) -> Metrics | None:
    """Score the tags that were predicted for the words of documents over word pieces; ``None`` without documents.

    Words are those between white space, as in a CoNLL file, and each of their pieces has the word's tag. So a region
    that begins with a word of two pieces counts as two regions.
    """
    if not documents:
        return None
    words = [whitespace_words(document.text) for document in documents]
    counts = iter(tagger.count_pieces([word.text for of_text in words for word in of_text]))
    pieces = [list(islice(counts, len(of_text))) for of_text in words]
    tasks = [document.id for document in documents]
    gold = map(_piece_tags, documents, (document.tags for document in documents), words, pieces)
    return score(by_task(tasks, gold), by_task(tasks, map(_piece_tags, documents, predicted, words, pieces)))


def _piece_tags(
    document: TaggedDocument, tags: Sequence[str], words: Sequence[Word], pieces: Sequence[int]
) -> list[str]:
    spans = tags_to_spans(document.words, [OUTSIDE if tag == UNKNOWN else tag for tag in tags])
    unknown = [
        Span(word.start, word.end, UNKNOWN) for word, tag in zip(document.words, tags, strict=True) if tag == UNKNOWN
    ]
    of_words = _word_tags(words, spans, unknown)
    return [tag for tag, number in zip(of_words, pieces, strict=True) for _ in range(number)]


def _word_tags(words: Sequence[Word], spans: Iterable[Span], unknown: Iterable[Span]) -> list[str]:
    """BIO tags of words between white space; of two spans in one word, the first one has it."""
    tags = [OUTSIDE] * len(words)
    for span in spans:
        free = [index for index in _overlapping(words, span) if tags[index] == OUTSIDE]
        for index, prefix in zip(free, chain("B", repeat("I")), strict=False):
            tags[index] = f"{prefix}-{span.label}"
    for span in unknown:
        for index in _overlapping(words, span):
            tags[index] = UNKNOWN if tags[index] == OUTSIDE else tags[index]
    return tags


def _overlapping(words: Sequence[Word], span: Span) -> range:
    first = bisect_right(words, span.start, key=attrgetter("end"))
    return range(first, bisect_left(words, span.end, lo=first, key=attrgetter("start")))
