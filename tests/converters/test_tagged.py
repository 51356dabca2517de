from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from converters import (
    OTHER_LABEL,
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


@given(st.data(), texts)
def test_tagging_the_spans_of_the_tags_again_changes_nothing(data: st.DataObject, text: str) -> None:
    given_spans = tuple(data.draw(any_spans(text)))
    document = tag_document(Document("1", text, given_spans), labels=["X", "A-B", ""])
    again = spans_to_tags(text, document.spans)
    assert (again.words, again.tags, again.losses) == (document.words, document.tags, ())
    assert is_legal(document.tags)
    assert list(document.spans) == tags_to_spans(document.words, document.tags)
    assert len(document.spans) + len(document.losses) == len(given_spans)


@given(st.data(), st.lists(texts, max_size=4))
def test_tagged_documents_are_written_as_the_documents_they_were_made_of(
    data: st.DataObject, contents: list[str]
) -> None:
    documents = [Document(str(number), text, tuple(data.draw(any_spans(text)))) for number, text in enumerate(contents)]
    expected, written = io.StringIO(), io.StringIO()
    write_conll(documents, expected, on_loss=lambda *_: None)
    write_tagged(map(tag_document, documents), written)
    assert written.getvalue() == expected.getvalue()
