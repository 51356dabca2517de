from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converters import Document, Loss, Span, Written, spans_to_tags, whitespace_words, write_conll
from tests.converters.strategies import any_spans, texts


def written(*documents: Document) -> str:
    stream = io.StringIO()
    write_conll(documents, stream)
    return stream.getvalue()


def test_documents_are_written_in_the_shape_of_conll_2003() -> None:
    documents = (
        Document("1", "great pizza at Joe's", (Span(0, 5, "Rating"), Span(15, 20, "Restaurant_Name"))),
        Document("2", "new york", (Span(0, 8, "Location"),)),
    )
    assert written(*documents) == (
        "-DOCSTART- -X- O O\n"
        "\n"
        "great -X- _ B-Rating\n"
        "pizza -X- _ O\n"
        "at -X- _ O\n"
        "Joe's -X- _ B-Restaurant_Name\n"
        "\n"
        "-DOCSTART- -X- O O\n"
        "\n"
        "new -X- _ B-Location\n"
        "york -X- _ I-Location\n"
        "\n"
    )


def test_nothing_is_written_for_no_documents() -> None:
    assert written() == ""


def test_text_without_words_is_a_document_without_sentences() -> None:
    assert written(Document("1", " \n")) == "-DOCSTART- -X- O O\n\n"


def test_text_that_looks_like_the_header_does_not_become_one() -> None:
    assert written(Document("1", "-DOCSTART-")).count("-DOCSTART-") == 1


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("1\u202f000", "1\ufffd000"),
        ("\x00", "\ufffd"),
        ("\ud800", "\ufffd"),
        ("\x7f", "\ufffd"),
        ("Naïve", "Naïve"),
        ("🍣", "🍣"),
    ],
)
def test_character_that_would_break_the_file_is_replaced(text: str, token: str) -> None:
    assert f"{token} -X- _ O\n" in written(Document("1", text))


def test_whitespace_in_a_label_becomes_an_underscore() -> None:
    assert "Joe -X- _ B-Restaurant_Name\n" in written(Document("1", "Joe", (Span(0, 3, "Restaurant Name"),)))


def test_spans_that_are_not_in_the_file_are_counted_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, logger="converters"):
        written(Document("1", "ab cd", (Span(0, 5, "X"), Span(0, 2, "Y"), Span(2, 3, "Y"))))
    assert [record.getMessage()[:7] for record in caplog.records] == ["2 spans"]


def test_lone_surrogates_do_not_break_a_utf8_file(tmp_path: Path) -> None:
    path = tmp_path / "out.conll"
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        write_conll([Document("1", "a\ud83c b", (Span(0, 2, "\ud83c"),))], stream)
    assert "B-\ufffd" in path.read_text(encoding="utf-8")


def test_sentences_are_parted_by_an_empty_line_unless_told_otherwise() -> None:
    document = Document("1", "Nice. Go!", (Span(0, 4, "X"),))
    header, rows = "-DOCSTART- -X- O O\n\n", ["Nice -X- _ B-X\n. -X- _ O\n", "Go -X- _ O\n! -X- _ O\n"]
    assert written(document) == header + rows[0] + "\n" + rows[1] + "\n"
    stream = io.StringIO()
    write_conll([document], stream, sentences=False)
    assert stream.getvalue() == header + rows[0] + rows[1] + "\n"


def test_lines_are_sentences_where_that_is_wanted() -> None:
    documents, lines = [Document("1", "Nice. Go\nnow")], "Nice -X- _ O\n. -X- _ O\nGo -X- _ O\n\nnow -X- _ O\n\n"
    stream = io.StringIO()
    write_conll(documents, stream, sentences="lines")
    assert stream.getvalue().partition("\n\n")[2] == lines
    assert written(replace(documents[0], sentence_per_line=True)).partition("\n\n")[2] == lines


def test_header_as_a_token_is_written_as_another() -> None:
    stream = io.StringIO()
    write_conll([Document("1", "-DOCSTART- x")], stream, tokenizer=whitespace_words)
    assert stream.getvalue().splitlines()[2:4] == ["\ufffdDOCSTART- -X- _ O", "x -X- _ O"]


def test_labels_that_become_alike_stay_different() -> None:
    spans = [Span(at, at + 1, label) for at, label in zip((0, 2, 4), ("A B", "A_B", "A\tB"), strict=True)]
    tags = [line.split()[-1] for line in written(Document("1", "a b c", tuple(spans))).splitlines()[2:5]]
    assert tags == ["B-A_B", "B-A_B_2", "B-A_B_3"]


def test_what_was_written_is_counted_and_every_loss_named() -> None:
    one, other = Document("1", "Nice. Go", (Span(0, 4, "X"), Span(0, 2, "Y"))), Document("2", " ", (Span(0, 1, "X"),))
    lost: list[tuple[str, Loss]] = []
    result = write_conll([one, other], io.StringIO(), on_loss=lambda document, loss: lost.append((document.id, loss)))
    overlap, blank = "overlaps a longer or earlier span", "only whitespace"
    assert result == Written(2, 2, 3, 1, Counter({overlap: 1, blank: 1}))
    assert lost == [("1", Loss(Span(0, 2, "Y"), overlap, Span(0, 4, "X"))), ("2", Loss(Span(0, 1, "X"), blank, None))]


def test_documents_are_written_as_they_come() -> None:
    stream = io.StringIO()

    def documents() -> Iterator[Document]:
        for number in range(3):
            assert stream.getvalue().count("-DOCSTART-") == number
            yield Document(str(number), "a")

    write_conll(documents(), stream)


@given(st.data(), texts)
@settings(deadline=None, max_examples=200)
def test_every_word_is_one_row_of_four_columns(data: st.DataObject, text: str) -> None:
    document = Document("1", text, tuple(data.draw(any_spans(text))))
    content = written(document)
    rows = [line for line in content.encode("utf-8").decode("utf-8").splitlines()[2:] if line]
    assert [len(row.split()) for row in rows] == [4] * len(spans_to_tags(text, document.spans).words)
