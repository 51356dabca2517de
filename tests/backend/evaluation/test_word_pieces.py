"""Scores over word pieces are those that a notebook computes with transformers' tokenizer and seqeval."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from seqeval.metrics import f1_score
from transformers import AutoTokenizer

from backend.evaluation.evaluate import Metrics, predict_tags
from backend.evaluation.word_pieces import score_word_pieces
from backend.inference.tagger import Tagger
from converters.document import Document, Span
from converters.tagged import TaggedDocument, tag_document
from converters.words import whitespace_words
from tests.samples import documents, marked


class Letters:
    """A tokenizer whose pieces are letters."""

    def count_pieces(self, words: Sequence[str]) -> list[int]:
        return list(map(len, words))


def scored(gold: TaggedDocument, predicted: TaggedDocument) -> Metrics:
    metrics = score_word_pieces(cast(Tagger, Letters()), [gold], [predicted.tags])
    assert metrics is not None
    return metrics


@pytest.mark.parametrize(
    ("text", "regions"),
    [
        ("a b", 0),
        ("[a|Dish] b", 1),
        ("[abc|Dish] d", 3),
        ("[ab cde|Dish] f", 2),
        ("x[ab|Dish]", 3),
        ("[$|Price][10|Price]", 3),
        ("[ab|Dish]-[cd ef|Place]", 7),
    ],
    ids=["none", "one piece", "one word", "two words", "inside a word", "two in a word", "a word of two regions"],
)
def test_region_counts_once_for_each_piece_of_its_first_word(text: str, regions: int) -> None:
    document = tag_document(marked(text))
    metrics = scored(document, document)
    assert (metrics.support, metrics.f1) == (regions, 1.0)


def test_wrong_pieces_are_counted() -> None:
    gold, other = (tag_document(marked(text)) for text in ("[abc|Dish] [d|Dish]", "[abc|Dish] d"))
    assert (scored(gold, other).recall, scored(gold, other).support) == (0.75, 4)
    assert scored(other, gold).precision == 0.75


def test_unknown_words_are_not_scored() -> None:
    unreadable = tag_document(Document("1", "ab cd", unreadable=(Span(3, 5, "Gone"),)))
    assert scored(unreadable, tag_document(marked("ab [cd|Dish]"))).predicted == 0


def test_nothing_is_scored_without_documents() -> None:
    assert score_word_pieces(cast(Tagger, Letters()), [], []) is None


def test_scores_are_those_of_a_notebook(version_folder: Path) -> None:
    tagger = Tagger.load(version_folder)
    texts = [*documents(60), marked("an [unfathomable crème brûlée|Dish], [$10.50|Price] - or [$10|Price]/[Ω-3|Dish]?")]
    tagged = [tag_document(document) for document in texts]
    metrics = score_word_pieces(tagger, tagged, predict_tags(tagger, tagged))
    tokenizer: Any = AutoTokenizer.from_pretrained(version_folder)
    gold = [notebook_tags(tokenizer, document.text, document.spans) for document in texts]
    taggings = tagger.tag([document.text for document in texts])
    predicted = [
        notebook_tags(tokenizer, document.text, tagging.spans)
        for document, tagging in zip(texts, taggings, strict=True)
    ]
    assert metrics is not None
    assert metrics.f1 == pytest.approx(f1_score(gold, predicted))
    assert 0.5 < metrics.f1 < 1.0


def notebook_tags(tokenizer: Any, text: str, spans: Sequence[Span]) -> list[str]:
    words = whitespace_words(text)
    tags = []
    for word in words:
        covering = [span for span in spans if span.start < word.end and span.end > word.start]
        tags.append(f"{'B' if covering[0].start >= word.start else 'I'}-{covering[0].label}" if covering else "O")
    places = tokenizer([word.text for word in words], is_split_into_words=True).word_ids()
    return [tags[place] for place in places if place is not None]
