from __future__ import annotations

import io
from dataclasses import replace

import pytest

from converters.conll import write_conll
from converters.document import Document, Span
from converters.rows import document_rows
from converters.words import whitespace_words
from tests.samples import documents, marked


def test_rows_are_the_sentences_of_the_conll_file() -> None:
    for document in [*documents(20), marked("Try [ramen|Dish]. It is in [Boston|Location]! Is it?")]:
        rows, losses = document_rows(document)
        stream = io.StringIO()
        write_conll([document], stream)
        sentences = [
            "".join(f"{token} -X- _ {tag}\n" for token, tag in zip(row.tokens, row.tags, strict=True)) for row in rows
        ]
        assert stream.getvalue().removeprefix("-DOCSTART- -X- O O\n\n") == "\n".join([*sentences, ""])
        assert losses == ()


@pytest.mark.parametrize(
    ("document", "sentences", "ids"),
    [
        (marked("Good ramen. In [Boston|Location].", id="7"), True, ["7-1", "7-2"]),
        (marked("Good ramen. In [Boston|Location].", id="7"), False, ["7"]),
        (replace(marked("ramen", id="7"), text_name="title"), True, ["7:title-1"]),
        (replace(marked("a\nb", id="7"), sentence_per_line=True), True, ["7-1", "7-2"]),
        (marked(" ", id="7"), True, []),
        (marked(" ", id="7"), False, []),
    ],
    ids=["sentences", "documents", "text of several", "lines", "no word", "no word, documents"],
)
def test_id_names_the_task_and_the_sentence(document: Document, sentences: bool, ids: list[str]) -> None:
    rows, _ = document_rows(document, sentences=sentences)
    assert [row.id for row in rows] == ids
    assert all(row.task == "7" for row in rows)


def test_overlapping_span_is_a_loss() -> None:
    inner, outer = Span(4, 7, "Dish"), Span(0, 7, "Place")
    rows, losses = document_rows(Document("1", "New pie", (inner, outer)))
    assert rows[0].tags == ("B-Place", "I-Place")
    assert [loss.span for loss in losses] == [inner]


def test_lone_surrogates_are_replaced() -> None:
    rows, _ = document_rows(marked("a\ud83c b"), tokenizer=whitespace_words)
    assert rows[0].tokens == ("a\ufffd", "b")
