"""Documents as rows of tokens and tags: one for each sentence, or one for each document."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from converters.bio import Loss, spans_to_tags
from converters.conll_write import Sentences, cut_sentences
from converters.document import Document
from converters.words import Tokenizer
from converters.words import words as unicode_words

_LONE_SURROGATES = re.compile("[\ud800-\udfff]")


class Row(NamedTuple):
    """The tokens of a sentence or a document, and their BIO tags.

    ``task`` is the id of the document. ``id`` is the document's name, which is its task's id unless the task has
    several texts; a sentence adds its number, from 1: ``"7-1"``.
    """

    task: str
    id: str
    tokens: tuple[str, ...]
    tags: tuple[str, ...]


def document_rows(
    document: Document,
    *,
    tokenizer: Tokenizer = unicode_words,
    sentences: Sentences = True,
    language: str = "en",
) -> tuple[list[Row], Sequence[Loss]]:
    """A document's rows, with the words and sentences of `write_conll`, and the spans that cannot become tags.

    A text without words has no row. Lone surrogates, which have no UTF-8 form, become U+FFFD.
    """
    tagged = spans_to_tags(document.text, document.spans, tokenizer=tokenizer)
    rows = []
    for number, cut in enumerate(cut_sentences(document, tagged, sentences, language), start=1):
        tokens = tuple(_LONE_SURROGATES.sub("\ufffd", word.text) for word in tagged.words[cut.start : cut.stop])
        name = f"{document.name}-{number}" if sentences else document.name
        rows.append(Row(document.id, name, tokens, tagged.tags[cut.start : cut.stop]))
    return rows, tagged.losses
