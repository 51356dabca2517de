from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converters import (
    OTHER_LABEL,
    UNKNOWN,
    Document,
    Loss,
    Span,
    is_legal,
    spans_to_tags,
    tag_document,
    tags_to_spans,
    write_conll,
    write_tagged,
)
from converters.bio import OVERLAP
from tests.converters.strategies import any_spans, texts


def test_document_is_tagged_word_by_word() -> None:
    document = tag_document(Document("7", "new york pizza", (Span(0, 9, "Location"),)))
    assert (document.id, document.text) == ("7", "new york pizza")
    assert [word.text for word in document.words] == ["new", "york", "pizza"]
    assert document.tags == ("B-Location", "I-Location", "O")
    assert document.spans == (Span(0, 8, "Location"),)  # without the space
    assert document.losses == ()


def test_spans_that_did_not_become_tags_are_losses_with_a_reason() -> None:
    dish, overlapping, other = Span(0, 5, "Dish"), Span(3, 6, "Dish"), Span(6, 9, "Person")
    document = tag_document(Document("1", "ramen Ann", (dish, overlapping, other)), labels=["Dish"])
    assert document.spans == (dish,)
    assert document.losses == (Loss(overlapping, OVERLAP, dish), Loss(other, OTHER_LABEL, None))


def test_span_of_another_label_takes_no_place_from_one_that_is_tagged() -> None:
    document = Document("1", "Boston ramen", (Span(0, 12, "Restaurant"), Span(7, 12, "Dish")))
    assert tag_document(document, labels=["Dish"]).spans == (Span(7, 12, "Dish"),)


@pytest.mark.parametrize(
    ("document", "tags"),
    [
        (Document("1", "ann met bo", (Span(8, 10, "PER"),), (Span(0, 3, "Person"),)), "- O B-PER"),
        (Document("1", "ann met bo", (), (Span(1, 5, ""),)), "- - O"),
        (Document("1", "ann met bo", (Span(0, 7, "X"), Span(4, 10, "Y"))), "B-X I-X -"),
        (Document("1", "ann met bo", (Span(0, 10, "X"), Span(4, 7, "Y"))), "B-X I-X I-X"),
        (Document("1", "ann met bo", (Span(0, 3, "X"), Span(4, 7, "other"))), "B-X - O"),
        (Document("1", "ann met bo", (Span(0, 3, "X"),), (Span(0, 10, "Person"),)), "B-X - -"),
        (Document("1", "ann met bo", (), (Span(3, 4, "Person"),)), "O O O"),
    ],
    ids=["unreadable", "parts of words", "overlap", "inside another", "other label", "around a readable one", "space"],
)
def test_words_of_a_region_without_tags_are_unknown(document: Document, tags: str) -> None:
    tagged = tag_document(document, labels=["X", "Y", "PER"])
    assert tagged.tags == tuple(tags.split())
    assert tagged.is_complete == ("-" not in tags.split())


@given(st.data(), texts)
def test_tagging_the_spans_of_the_tags_again_changes_nothing(data: st.DataObject, text: str) -> None:
    given_spans = tuple(data.draw(any_spans(text)))
    document = tag_document(Document("1", text, given_spans), labels=["X", "A-B", ""])
    again = spans_to_tags(text, document.spans)
    known = tuple("O" if tag == UNKNOWN else tag for tag in document.tags)
    assert (again.words, again.tags, again.losses) == (document.words, known, ())
    assert is_legal(known)
    assert list(document.spans) == tags_to_spans(document.words, known)
    assert len(document.spans) + len(document.losses) == len(given_spans)


@given(st.data(), st.lists(texts, max_size=4))
def test_tagged_documents_are_written_as_the_documents_they_were_made_of(
    data: st.DataObject, contents: list[str]
) -> None:
    drawn = [Document(str(number), text, tuple(data.draw(any_spans(text)))) for number, text in enumerate(contents)]
    documents = [document for document in drawn if tag_document(document).is_complete]
    expected, written = io.StringIO(), io.StringIO()
    write_conll(documents, expected, on_loss=lambda *_: None)
    write_tagged(map(tag_document, drawn), written)
    assert written.getvalue() == expected.getvalue()
